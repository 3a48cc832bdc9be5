/**
 * A disk of a few MiB that a test can fill to the brim: a file system in memory. The system itself then refuses what a
 * node or a database writes, at whatever place that is. It goes with the process that made it, however that ends.
 */
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const BLOCK = Buffer.alloc(4096, 1)

/** Why there can be none here; null where there can. */
export function whyNoSmallDisk(): string | null {
  if (process.platform !== 'linux') return 'file systems in memory are mounted on Linux only'
  if (process.getuid?.() !== 0) return 'only root may mount a file system'
  const folder = mkdtempSync(join(tmpdir(), 'eccp-try-'))
  try {
    if (mount(folder, 1) !== 0) return 'this machine does not let root mount a file system'
    unmount(folder)
    return null
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export class SmallDisk {
  readonly folder: string
  readonly #watch: ChildProcess

  constructor(mebibytes: number) {
    this.folder = mkdtempSync(join(tmpdir(), 'eccp-disk-'))
    if (mount(this.folder, mebibytes) !== 0) throw new Error('the small disk can not be mounted')
    const script = 'cat >/dev/null; umount -l "$0"; rmdir "$0"'
    this.#watch = spawn('/bin/sh', ['-c', script, this.folder], {
      cwd: '/',
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    })
    this.#watch.unref()
  }

  /** All the room but so much is taken. */
  fill(leave = 0): void {
    const { bavail, bsize } = statfsSync(this.folder)
    const file = openSync(this.#filler, 'a')
    try {
      for (let left = bavail * bsize - leave; left >= BLOCK.length; left -= BLOCK.length)
        writeSync(file, BLOCK)
    } finally {
      closeSync(file)
    }
  }

  /** What was taken by `fill` is free again. */
  makeRoom(): void {
    rmSync(this.#filler, { force: true })
  }

  get #filler(): string {
    return join(this.folder, 'filler')
  }

  async remove(): Promise<void> {
    const gone = new Promise((resolve) => this.#watch.once('exit', resolve))
    this.#watch.stdin?.end()
    await gone
  }
}

function mount(folder: string, mebibytes: number): number | null {
  const options = `size=${mebibytes}m,mode=0755`
  return spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]).status
}

function unmount(folder: string): void {
  spawnSync('umount', ['-l', folder])
}
