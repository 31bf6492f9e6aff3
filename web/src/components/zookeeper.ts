// The tree of a cluster's ZooKeeper, as it is shown.

/** Where a tree begins: Canal's nodes, then Towpath's. */
export const roots = ['/otter/canal', '/towpath'] as const

/** join is the path of a child. */
export function join(path: string, child: string): string {
  return path === '/' ? `/${child}` : `${path}/${child}`
}

/** pretty writes JSON so that it can be read, and leaves everything else alone. */
export function pretty(data: string): string {
  if (!/^\s*[[{]/.test(data)) return data
  try {
    return JSON.stringify(JSON.parse(data), null, 2)
  } catch {
    return data
  }
}
