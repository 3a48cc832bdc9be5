/** What the user entered while creating an account; lives as long as the flow, so nothing is typed twice. */
export interface CreateForm {
  where: 'personal' | 'server'
  serverText: string
  /** As confirmed by the server, once checked. */
  server: { url: string; serverName: string } | null
  displayName: string
  name: string
  password: string
  ticket: { ticket: string; words: string[]; confirm: number[] } | null
  confirmation: string[]
}

export const emptyCreateForm: CreateForm = {
  where: 'personal',
  serverText: '',
  server: null,
  displayName: '',
  name: '',
  password: '',
  ticket: null,
  confirmation: ['', '', ''],
}
export type ChangeForm = (patch: Partial<CreateForm>) => void
