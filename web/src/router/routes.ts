import type { RouteRecordRaw } from 'vue-router'
import type { Role } from '@/api/types'

declare module 'vue-router' {
  interface RouteMeta {
    /** Key of the title in nav.json. */
    title?: string
    /** The menu entry that is lit, when it is not the page's own. */
    menu?: string
    /** The role that the page needs. */
    role?: Role
    /** Shown without a session, and outside of the shell. */
    open?: boolean
  }
}

// Canal's paths (admin-ui, router/index.js), and ours beside them.
export const routes: RouteRecordRaw[] = [
  { path: '/', redirect: '/dashboard' },
  { path: '/login', component: () => import('@/views/Login.vue'), meta: { title: 'login', open: true } },
  { path: '/dashboard', component: () => import('@/views/Dashboard.vue'), meta: { title: 'dashboard' } },
  { path: '/canalServer', redirect: '/canalServer/nodeServers' },
  { path: '/canalServer/canalClusters', component: () => import('@/views/Clusters.vue'), meta: { title: 'clusters' } },
  {
    path: '/canalServer/canalCluster/:id(\\d+)',
    component: () => import('@/views/ClusterDetail.vue'),
    meta: { title: 'cluster', menu: '/canalServer/canalClusters' },
  },
  {
    path: '/canalServer/canalCluster/:id(\\d+)/zookeeper',
    component: () => import('@/views/ZooKeeperTree.vue'),
    meta: { title: 'zookeeper', menu: '/canalServer/canalClusters' },
  },
  { path: '/canalServer/nodeServers', component: () => import('@/views/Servers.vue'), meta: { title: 'servers' } },
  {
    path: '/canalServer/nodeServer/:id(\\d+)',
    component: () => import('@/views/ServerDetail.vue'),
    meta: { title: 'server', menu: '/canalServer/nodeServers' },
  },
  {
    path: '/canalServer/nodeServer/config',
    component: () => import('@/views/CanalConfig.vue'),
    meta: { title: 'serverConfig', menu: '/canalServer/nodeServers' },
  },
  {
    path: '/canalServer/nodeServer/log',
    component: () => import('@/views/ServerLog.vue'),
    meta: { title: 'serverLog', menu: '/canalServer/nodeServers' },
  },
  { path: '/canalServer/canalInstances', component: () => import('@/views/Instances.vue'), meta: { title: 'instances' } },
  {
    path: '/canalServer/canalInstance/:id(\\d+)',
    component: () => import('@/views/InstanceDetail.vue'),
    meta: { title: 'instance', menu: '/canalServer/canalInstances' },
  },
  {
    path: '/canalServer/canalInstance/add',
    component: () => import('@/views/InstanceAdd.vue'),
    meta: { title: 'instanceAdd', menu: '/canalServer/canalInstances', role: 'admin' },
  },
  {
    path: '/canalServer/canalInstance/modify',
    component: () => import('@/views/InstanceModify.vue'),
    meta: { title: 'instanceModify', menu: '/canalServer/canalInstances' },
  },
  {
    path: '/canalServer/canalInstance/log',
    component: () => import('@/views/InstanceLog.vue'),
    meta: { title: 'instanceLog', menu: '/canalServer/canalInstances' },
  },
  { path: '/sys/user', component: () => import('@/views/sys/Account.vue'), meta: { title: 'account' } },
  { path: '/sys/users', component: () => import('@/views/sys/Users.vue'), meta: { title: 'users', role: 'admin' } },
  { path: '/sys/audit', component: () => import('@/views/sys/Audit.vue'), meta: { title: 'audit', role: 'admin' } },
  { path: '/sys/api', component: () => import('@/views/sys/Api.vue'), meta: { title: 'api' } },
  { path: '/403', component: () => import('@/views/Forbidden.vue'), meta: { title: 'forbidden' } },
  { path: '/404', component: () => import('@/views/NotFound.vue'), meta: { title: 'notFound' } },
  { path: '/:rest(.*)*', redirect: '/404' },
]
