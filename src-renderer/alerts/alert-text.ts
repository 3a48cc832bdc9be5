/** Alerts in words. */
import type { Alert } from '../../src-shared/view-model/index.ts'
import { t } from '../text/t.ts'

export function alertText({ alert }: Alert): { title: string; body: string } {
  switch (alert.what) {
    case 'device_waiting':
      return { title: t('alert.device_waiting', { device: alert.deviceName }), body: '' }
    case 'contact_changed':
      return { title: t(`alert.contact.${alert.change}`, { name: alert.name }), body: '' }
    case 'vault_damaged':
      return {
        title: t('alert.vault_damaged.title'),
        body: t('alert.vault_damaged.body', { count: alert.records }),
      }
    case 'vault_rolled_back':
      return { title: t('alert.vault_rolled_back.title'), body: t('alert.vault_rolled_back.body') }
    case 'storage_full':
      return { title: t('alert.storage_full.title'), body: t('alert.storage_full.body') }
    case 'personal_node_down':
      return { title: t('alert.personal_node_down'), body: '' }
    case 'toast':
      return { title: alert.text, body: '' }
  }
}
