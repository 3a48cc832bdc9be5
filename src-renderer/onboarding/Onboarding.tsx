import { useState } from 'react'
import { CreateAccount } from './CreateAccount.tsx'
import { SignIn } from './SignIn.tsx'
import { Welcome } from './Welcome.tsx'

export function Onboarding() {
  const [way, setWay] = useState<'welcome' | 'create' | 'sign-in'>('welcome')
  const back = (): void => setWay('welcome')
  if (way === 'create') return <CreateAccount onBack={back} />
  if (way === 'sign-in') return <SignIn onBack={back} />
  return <Welcome onCreate={() => setWay('create')} onSignIn={() => setWay('sign-in')} />
}
