/**
 * Evaluates TypeScript modules of one folder anew each time, so that no mutant sees what another left
 * behind. Packages and Node's own modules are imported once and stay.
 */
import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { SourceTextModule, SyntheticModule, type Module } from 'node:vm'

/** Node has it, its type declarations do not. */
interface Cacheable {
  createCachedData(): Buffer
}

interface Source {
  readonly code: string
  compiled: Buffer | undefined
}

export class ModuleGraph {
  readonly #sources = new Map<string, Source>()
  readonly #packages = new Map<string, Module>()

  /** Offers a module under a name that tests import, in place of the package of that name. */
  provide(name: string, exports: Readonly<Record<string, unknown>>): void {
    this.#packages.set(name, synthetic(name, exports))
  }

  /** Imports what the files need from packages; after that a graph is loaded without waiting. */
  async prepare(files: readonly string[]): Promise<void> {
    const modules = new Map<string, SourceTextModule>()
    for (const file of files) this.#parse(file, modules)
    const names = [...modules.values()].flatMap((module) =>
      module.moduleRequests.map(({ specifier }) => specifier).filter((name) => !isFile(name)),
    )
    for (const name of new Set(names)) {
      if (this.#packages.has(name)) continue
      const exports = (await import(name)) as Record<string, unknown>
      this.#packages.set(name, synthetic(name, exports))
    }
  }

  /**
   * Evaluates the files and all that they import, in a graph of its own: one after the other, with `before`
   * and `after` each, until one of the latter says that it is enough.
   */
  async load(
    files: readonly string[],
    before: (file: string) => void,
    after: (file: string) => Promise<'go on' | 'enough'>,
  ): Promise<void> {
    const modules = new Map<string, SourceTextModule>()
    for (const file of files) this.#parse(file, modules)
    for (const [file, module] of modules) {
      module.linkRequests(
        module.moduleRequests.map(({ specifier }) => {
          const found = isFile(specifier)
            ? modules.get(resolved(specifier, file))
            : this.#packages.get(specifier)
          if (found === undefined) throw new Error(`${file}: ${specifier} was not prepared`)
          return found
        }),
      )
    }
    for (const file of files) {
      const module = modules.get(file)
      if (module === undefined) throw new Error(`${file}: not parsed`)
      if (module.status === 'unlinked') module.instantiate()
      before(file)
      await module.evaluate()
      if ((await after(file)) === 'enough') return
    }
  }

  #parse(file: string, modules: Map<string, SourceTextModule>): void {
    if (modules.has(file)) return
    const source = this.#source(file)
    const module = new SourceTextModule(source.code, {
      identifier: file,
      ...(source.compiled === undefined ? {} : { cachedData: source.compiled }),
      initializeImportMeta: (meta) => {
        meta.url = pathToFileURL(file).href
        meta.filename = file
        meta.dirname = dirname(file)
      },
    }) as SourceTextModule & Cacheable
    source.compiled ??= module.createCachedData()
    modules.set(file, module)
    for (const { specifier } of module.moduleRequests) {
      if (isFile(specifier)) this.#parse(resolved(specifier, file), modules)
    }
  }

  #source(file: string): Source {
    let source = this.#sources.get(file)
    if (source === undefined) {
      source = { code: stripTypeScriptTypes(readFileSync(file, 'utf8')), compiled: undefined }
      this.#sources.set(file, source)
    }
    return source
  }
}

function isFile(specifier: string): boolean {
  return specifier.startsWith('.')
}

function resolved(specifier: string, from: string): string {
  return fileURLToPath(new URL(specifier, pathToFileURL(from)))
}

function synthetic(name: string, exports: Readonly<Record<string, unknown>>): Module {
  const module = new SyntheticModule(
    Object.keys(exports),
    () => {
      for (const [key, value] of Object.entries(exports)) module.setExport(key, value)
    },
    { identifier: name },
  )
  return module
}
