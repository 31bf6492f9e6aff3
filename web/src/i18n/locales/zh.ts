import { byFile } from '../merge'

export default byFile(import.meta.glob('./zh/*.json', { eager: true }))
