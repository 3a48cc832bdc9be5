/** What the user entered while creating an account; lives as long as the flow, so nothing is typed twice. */
export interface CreateForm {
  where: 'personal' | 'server'
  serverText: string
  /** As confirmed by the server, once checked. */
  server: { url: string; serverName: string; needsToken: boolean } | null
  /** What the people who run the server gave out, where it asks for it. */
  token: string
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
  token: '',
  displayName: '',
  name: '',
  password: '',
  ticket: null,
  confirmation: ['', '', ''],
}
export type ChangeForm = (patch: Partial<CreateForm>) => void
