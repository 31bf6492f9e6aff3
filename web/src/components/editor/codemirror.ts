// What all editors of properties texts have in common. Loaded with the first
// page that shows one.
import { autocompletion, completionKeymap, type Completion, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands'
import { HighlightStyle, StreamLanguage, syntaxHighlighting } from '@codemirror/language'
import { properties } from '@codemirror/legacy-modes/mode/properties'
import { forceLinting, lintGutter, linter, lintKeymap, type Diagnostic } from '@codemirror/lint'
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search'
import { EditorState, type Extension } from '@codemirror/state'
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from '@codemirror/view'
import { tags } from '@lezer/highlight'
import type { ConfigKey, ConfigProblem } from '@/api/types'
import { t } from '@/i18n'
import { fixedLine, fixedText, isFix } from './fixes'
import { keyAt } from './properties'

const colours = HighlightStyle.define([
  { tag: tags.comment, color: 'var(--tp-text-soft)', fontStyle: 'italic' },
  { tag: tags.definition(tags.variableName), color: 'var(--tp-primary)' },
  { tag: tags.variableName, color: 'var(--tp-primary)' },
  { tag: tags.quote, color: 'var(--tp-accent)' },
  { tag: tags.heading, color: 'var(--tp-accent)' },
])

const look = EditorView.theme({
  '&': { color: 'var(--tp-text)', backgroundColor: 'var(--tp-surface)', fontSize: '13px' },
  '&.cm-focused': { outline: '2px solid var(--tp-focus)', outlineOffset: '-1px' },
  '.cm-scroller': { fontFamily: 'var(--tp-mono)', lineHeight: '1.55' },
  '.cm-content': { caretColor: 'var(--tp-text)' },
  '.cm-cursor': { borderLeftColor: 'var(--tp-text)' },
  '.cm-gutters': { backgroundColor: 'var(--tp-surface-2)', color: 'var(--tp-text-soft)', borderRight: '1px solid var(--tp-line)' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'color-mix(in srgb, var(--tp-primary) 8%, transparent)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: 'color-mix(in srgb, var(--tp-primary) 28%, transparent)' },
  '.cm-panels, .cm-tooltip': { backgroundColor: 'var(--tp-surface)', color: 'var(--tp-text)', borderColor: 'var(--tp-line-strong)' },
  '.cm-tooltip': { border: '1px solid var(--tp-line-strong)', borderRadius: 'var(--tp-radius)', maxWidth: 'min(560px, 94vw)' },
  '.cm-tooltip-autocomplete > ul > li[aria-selected]': { backgroundColor: 'var(--tp-primary)', color: 'var(--tp-on-primary)' },
  '.cm-completionInfo': { maxWidth: '360px', whiteSpace: 'normal', padding: '8px 10px' },
  '.cm-diagnosticAction': { backgroundColor: 'var(--tp-primary)', color: 'var(--tp-on-primary)' },
  '.cm-textfield, .cm-button': { backgroundImage: 'none', backgroundColor: 'var(--tp-surface-2)', color: 'var(--tp-text)', borderColor: 'var(--tp-line-strong)' },
  '.cm-changedLine': { backgroundColor: 'color-mix(in srgb, var(--tp-success) 14%, transparent) !important' },
  '.cm-deletedChunk, &.cm-merge-a .cm-changedLine': { backgroundColor: 'color-mix(in srgb, var(--tp-danger) 14%, transparent) !important' },
  '.cm-changedText': { background: 'color-mix(in srgb, var(--tp-success) 34%, transparent) !important' },
  '&.cm-merge-a .cm-changedText, .cm-deletedChunk .cm-deletedText': { background: 'color-mix(in srgb, var(--tp-danger) 34%, transparent) !important' },
  '.cm-collapsedLines:before, .cm-collapsedLines:after': { content: '"…"' },
  '.cm-collapsedLines': { backgroundColor: 'var(--tp-surface-2)', backgroundImage: 'none', color: 'var(--tp-text-soft)' },
})

/** nonce is that of the page's style policy; the server writes it into the page. */
export function nonce(): string {
  return document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? ''
}

/** What the editor says by itself, and the key of its translation. */
const phrases: Record<string, string> = {
  Find: 'find',
  Replace: 'replaceWith',
  next: 'next',
  previous: 'previous',
  all: 'all',
  'match case': 'matchCase',
  regexp: 'regexp',
  'by word': 'byWord',
  replace: 'replace',
  'replace all': 'replaceAll',
  close: 'close',
  '$ unchanged lines': 'unchanged',
  Completions: 'completions',
}

const translated = () => Object.fromEntries(Object.entries(phrases).map(([phrase, key]) => [phrase, t(`editor.phrase.${key}`)]))

/** basics show a properties text, with numbers and colours. */
export function basics(label: string, readonly: boolean): Extension[] {
  return [
    EditorView.cspNonce.of(nonce()),
    EditorState.phrases.of(translated()),
    lineNumbers(),
    drawSelection(),
    StreamLanguage.define(properties),
    syntaxHighlighting(colours),
    highlightSelectionMatches(),
    search({ top: true }),
    keymap.of([...searchKeymap]),
    EditorView.lineWrapping,
    EditorView.contentAttributes.of({ 'aria-label': label, spellcheck: 'false', tabindex: '0' }),
    EditorState.readOnly.of(readonly),
    look,
  ]
}

/** editing adds what typing needs. Tab moves the focus on, so that the keyboard is not caught. */
export function editing(): Extension[] {
  return [history(), highlightActiveLine(), highlightActiveLineGutter(), keymap.of([...completionKeymap, ...lintKeymap, ...historyKeymap, ...defaultKeymap])]
}

/** completion offers the known keys at the beginning of a line, and their default behind the "=". */
export function completion(keys: () => readonly ConfigKey[]): Extension {
  const source = (context: CompletionContext): CompletionResult | null => {
    const line = context.state.doc.lineAt(context.pos)
    const before = line.text.slice(0, context.pos - line.from)
    if (/^\s*[#!]/.test(before)) return null
    const typed = /^\s*([\w.-]*)$/.exec(before)?.[1]
    if (typed !== undefined) {
      if (typed === '' && !context.explicit) return null
      return { from: context.pos - typed.length, options: keys().map((k) => keyOption(k, line.text.includes('='))), validFor: /^[\w.-]*$/ }
    }
    const known = keys().find((k) => k.name === keyAt(line.text))
    const value = /[=:]\s*(\S*)$/.exec(before)
    if (!known?.default || !value || !context.explicit) return null
    return { from: context.pos - (value[1]?.length ?? 0), options: [{ label: known.default, detail: t('editor.default') }] }
  }
  return autocompletion({ override: [source], icons: false })
}

function keyOption(k: ConfigKey, hasValue: boolean): Completion {
  return {
    label: k.name,
    detail: k.default ? `= ${k.default}` : undefined,
    info: () => infoOf(k),
    apply: hasValue ? k.name : `${k.name} = `,
    boost: k.status === 'works' ? 1 : -1,
  }
}

function infoOf(k: ConfigKey): Node {
  const box = document.createElement('div')
  const add = (text: string, className = '') => {
    const p = document.createElement('div')
    p.textContent = text
    p.className = className
    box.append(p)
  }
  add(k.effect)
  add(t('editor.keyDefault', { value: k.default || t('editor.empty') }), 'tp-soft')
  if (k.status !== 'works') add(t('editor.keyStatus', { status: k.status }), 'tp-soft')
  if (k.secret) add(t('editor.keySecret'), 'tp-soft')
  return box
}

/** How long one must not have typed before the text is looked through. */
export const VALIDATE_AFTER_MS = 600

/** validation asks for what is wrong with the text; a suggestion can be taken over. */
export function validation(ask: (text: string) => Promise<ConfigProblem[]>, found: (problems: ConfigProblem[]) => void): Extension[] {
  const source = async (view: EditorView): Promise<Diagnostic[]> => {
    const problems = await ask(view.state.doc.toString())
    found(problems)
    return problems.map((p) => diagnostic(view.state, p))
  }
  return [lintGutter(), linter(source, { delay: VALIDATE_AFTER_MS })]
}

function diagnostic(state: EditorState, p: ConfigProblem): Diagnostic {
  const line = state.doc.line(Math.min(Math.max(p.line, 1), state.doc.lines))
  return {
    from: p.line > 0 ? line.from : 0,
    to: p.line > 0 ? line.to : 0,
    severity: p.severity,
    message: p.suggestion ? `${p.message}\n${t('editor.suggestion', { text: p.suggestion })}` : p.message,
    actions: isFix(p) ? [{ name: t('editor.apply'), apply: (view) => applyFix(view, p) }] : undefined,
  }
}

/** applyFix writes what a problem suggests into the text. */
export function applyFix(view: EditorView, p: ConfigProblem): void {
  const doc = view.state.doc
  if (p.line > 0) {
    const line = doc.line(Math.min(p.line, doc.lines))
    view.dispatch({ changes: { from: line.from, to: line.to, insert: fixedLine(line.text, p) } })
  } else {
    view.dispatch({ changes: { from: 0, to: doc.length, insert: fixedText(doc.toString(), p) } })
  }
  forceLinting(view)
}

export { EditorState, EditorView, forceLinting, keymap }
