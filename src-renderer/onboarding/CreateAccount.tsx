/** The steps of creating an account; owns the form and the calls to main. */
import { useState } from 'react'
import type { IpcErrorCode } from '../../src-shared/ipc/index.ts'
import { useCore } from '../store/react.ts'
import { errorText } from '../text/errors.ts'
import { t } from '../text/t.ts'
import { ConfirmStep } from './ConfirmStep.tsx'
import { emptyCreateForm, type CreateForm } from './create-form.ts'
import { WhereStep } from './WhereStep.tsx'
import { WordsStep } from './WordsStep.tsx'
import { YouStep } from './YouStep.tsx'

type Step = 'where' | 'you' | 'words' | 'confirm'
/** Errors that belong to a field of an earlier step. */
const yours: readonly IpcErrorCode[] = ['name_taken', 'bad_name', 'weak_password']

export function CreateAccount({ onBack }: { onBack: () => void }) {
  const core = useCore()
  const [step, setStep] = useState<Step>('where')
  const [form, setForm] = useState<CreateForm>(emptyCreateForm)
  const [problem, setProblem] = useState<{ code: IpcErrorCode; text: string } | null>(null)
  const [busy, setBusy] = useState(false)
  const change = (patch: Partial<CreateForm>): void => setForm((old) => ({ ...old, ...patch }))

  async function checkServer(): Promise<void> {
    setProblem(null)
    if (form.where === 'personal') {
      change({ server: null })
      setStep('you')
      return
    }
    // Known already, and waiting for the code that it asks for.
    if (form.server?.needsToken === true && form.token.trim() !== '') {
      setStep('you')
      return
    }
    setBusy(true)
    const result = await core.call('account.checkServer', { server: form.serverText.trim() })
    setBusy(false)
    if (!result.ok) {
      setProblem({ code: result.error.code, text: errorText(result.error) })
    } else if (result.value.registration === 'closed') {
      setProblem({ code: 'not_allowed', text: t('create.where.closed') })
    } else {
      const { url, serverName, registration } = result.value
      const needsToken = registration === 'token'
      change({ server: { url, serverName, needsToken } })
      if (!needsToken) setStep('you')
    }
  }

  async function prepareWords(): Promise<void> {
    setProblem(null)
    if (form.ticket) {
      setStep('words')
      return
    }
    setBusy(true)
    const result = await core.call('account.prepare', {})
    setBusy(false)
    if (result.ok) {
      change({ ticket: result.value, confirmation: ['', '', ''] })
      setStep('words')
    } else setProblem({ code: result.error.code, text: errorText(result.error) })
  }

  async function create(): Promise<void> {
    if (!form.ticket) return
    setProblem(null)
    setBusy(true)
    const result = await core.call('account.create', {
      ticket: form.ticket.ticket,
      server: form.server?.url ?? null,
      name: form.name,
      password: form.password,
      displayName: form.displayName.trim() || form.name,
      registrationToken: form.server?.needsToken === true ? form.token.trim() : null,
      confirmation: form.confirmation.map((word) => word.trim().toLowerCase()),
    })
    setBusy(false)
    if (result.ok) {
      core.session.accountChanged(result.value)
      await core.session.load()
      return
    }
    const { code } = result.error
    if (code === 'not_allowed' && form.server?.needsToken === true) {
      setProblem({ code, text: t('create.where.token.wrong') })
      setStep('where')
      return
    }
    setProblem({ code, text: errorText(result.error) })
    if (yours.includes(code)) setStep('you')
  }

  const common = { form, change, busy, problem }
  switch (step) {
    case 'where':
      return <WhereStep {...common} onBack={onBack} onNext={() => void checkServer()} />
    case 'you':
      return (
        <YouStep {...common} onBack={() => setStep('where')} onNext={() => void prepareWords()} />
      )
    case 'words':
      return (
        <WordsStep form={form} onBack={() => setStep('you')} onNext={() => setStep('confirm')} />
      )
    case 'confirm':
      return (
        <ConfirmStep {...common} onBack={() => setStep('words')} onNext={() => void create()} />
      )
  }
}
