import type { Plugin } from 'vite'
import { middleware } from './server'

/** mockApi answers /api itself, so that the pages can be worked on without an admin. */
export function mockApi(): Plugin {
  return {
    name: 'towpath-mock-api',
    configureServer(server) {
      server.middlewares.use(middleware())
    },
    configurePreviewServer(server) {
      server.middlewares.use(middleware({ policy: true }))
    },
  }
}
