import { onBeforeUnmount, ref, type Ref } from 'vue'

/** useSmall is whether the window is too narrow for tables of many columns. */
export function useSmall(): Ref<boolean> {
  const query = matchMedia('(max-width: 700px)')
  const small = ref(query.matches)
  const change = (e: MediaQueryListEvent) => (small.value = e.matches)
  query.addEventListener('change', change)
  onBeforeUnmount(() => query.removeEventListener('change', change))
  return small
}
