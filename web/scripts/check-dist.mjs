// Builds into a temporary folder and compares it with dist, which is committed:
// exits with 1 and the names of what differs.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const dist = join(root, 'dist')
const fresh = mkdtempSync(join(tmpdir(), 'towpath-web-'))

function filesBelow(dir) {
  const files = new Map()
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const name = join(entry.parentPath, entry.name)
    files.set(relative(dir, name), readFileSync(name))
  }
  return files
}

try {
  execFileSync(process.execPath, [join(root, 'node_modules/vite/bin/vite.js'), 'build', '--logLevel', 'error', '--emptyOutDir', '--outDir', fresh], {
    cwd: root,
    stdio: 'inherit',
  })
  const want = filesBelow(fresh)
  const have = filesBelow(dist)
  const problems = []
  for (const [name, text] of want) {
    if (!have.has(name)) problems.push(`missing: ${name}`)
    else if (!have.get(name).equals(text)) problems.push(`differs: ${name}`)
  }
  for (const name of have.keys()) if (!want.has(name)) problems.push(`not built any more: ${name}`)
  if (problems.length > 0) {
    console.error(`web/dist is not what the sources build to; run npm run build\n  ${problems.join('\n  ')}`)
    process.exitCode = 1
  }
} finally {
  rmSync(fresh, { recursive: true, force: true })
}
