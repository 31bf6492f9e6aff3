import type { Messages } from './index'

/** byFile gives each file's texts the name of the file. */
export function byFile(files: Record<string, { default: Record<string, unknown> }>): Messages {
  const messages: Messages = {}
  for (const [path, file] of Object.entries(files)) {
    const name = path.replace(/^.*\//, '').replace(/\.json$/, '')
    messages[name] = file.default
  }
  return messages
}
