import { byFile } from '../merge'

export default byFile(import.meta.glob('./en/*.json', { eager: true }))
