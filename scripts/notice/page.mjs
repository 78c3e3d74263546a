/** The page itself. */
const head = `# Third-party software

The addon of netring (\`netring.*.node\`, in the packages \`netring-linux-*\`) is linked from the software named here. Its authors ask
that their copyright notices and terms go with it. The package \`netring\` itself depends on no other npm package while it runs.
Where a choice of licences is offered, the one given here is chosen.

Made by \`npm run notice\` from Cargo.lock and the sources of the crates that it names; do not edit.
`

/** Where it comes from is not in Cargo.lock, and what it is made of differs little from version to version. */
const standardLibrary = `## The Rust standard library

Chosen: MIT, with the terms below. Copyright (c) The Rust Project Developers; of the parts in it: Copyright (c) 2014 Alex
Crichton (backtrace, cfg-if, rustc-demangle), Copyright (c) 2016 Amanieu d'Antras (hashbrown), Copyright (c) 2015 The Rust Project Developers (gimli),
Copyright (c) The Rust Project Developers (libc), Copyright (c) 2019 The Crossbeam Project Developers (channels).
Its tables of characters: Copyright (c) 1991-2024 Unicode, Inc., under Unicode-3.0:

> Permission is hereby granted, free of charge, to any person obtaining a copy of data files and any associated documentation (the "Data
> Files") or software and any associated documentation (the "Software") to deal in the Data Files or Software without restriction,
> including without limitation the rights to use, copy, modify, merge, publish, distribute, and/or sell copies of the Data Files or
> Software, and to permit persons to whom the Data Files or Software are furnished to do so, provided that either (a) this copyright and
> permission notice appear with all copies of the Data Files or Software, or (b) this copyright and permission notice appear in
> associated Documentation. THE DATA FILES AND SOFTWARE ARE PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING
> BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT OF THIRD PARTY RIGHTS. IN NO
> EVENT SHALL THE COPYRIGHT HOLDER OR HOLDERS INCLUDED IN THIS NOTICE BE LIABLE FOR ANY CLAIM, OR ANY SPECIAL INDIRECT OR CONSEQUENTIAL
> DAMAGES, OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER
> TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THE DATA FILES OR SOFTWARE. Except as contained in this
> notice, the name of a copyright holder shall not be used in advertising or otherwise to promote the sale, use or other dealings in these
> Data Files or Software without prior written authorization of the copyright holder.
`

/** zig puts them into what it links. They are not in Cargo.lock either; their licences are in the package that pip fetches. */
const linkerLibraries = `## What the linker adds

\`npm run prebuild\` links with zig, which takes two of its own libraries along:

- LLVM's libunwind, Apache-2.0 WITH LLVM-exception, the text of Apache-2.0 being LICENSE-APACHE; parts of it are also under MIT:
  Copyright (c) 2009-2019 by the contributors listed in CREDITS.TXT of LLVM
- zig's compiler_rt, MIT, with the terms below: Copyright (c) Zig contributors; a port of LLVM's, with the licence and the
  notice of libunwind
`

const librariesHead = `## libbpf and libxdp

Two C libraries, each file of them under LGPL-2.1 or BSD-2-Clause, at choice; chosen: BSD-2-Clause, with the terms below. They include
headers with which Linux describes its system calls (GPL-2.0 WITH Linux-syscall-note: using them so leaves a program its licence).

Not linked: libelf and zlib, to which both refer (functions of these names that do nothing are, \`crates/netring/build.rs\`), and
the BPF programs that libxdp carries, whose sources are GPL-2.0 (\`crates/netring/src/xdp/embedded.rs\`). The XDP program that netring
loads is its own.
`

/** `crates` are {name, version, authors, licence}, `libraries` {name, version, notices}. */
export function page(crates, libraries) {
  const sections = [
    head,
    '## Rust crates\n',
    table(crates),
    standardLibrary,
    linkerLibraries,
    librariesHead,
    ...libraries.map(library),
  ]
  return `${[...sections, '## The terms\n', ...terms(crates)].join('\n').trimEnd()}\n`
}

function table(crates) {
  const rows = crates.map(({ name, version, authors, licence }) => {
    const notices = licence.notices.join('; ') || `by ${authors.join(', ') || 'its contributors'}`
    return `| ${name} ${version} | ${licence.name} | ${notices} |`
  })
  return ['| crate | licence | copyright |', '|---|---|---|', ...rows, ''].join('\n')
}

function library({ name, version, notices }) {
  return [`${name} ${version}:`, '', ...notices.map((notice) => `- ${notice}`), ''].join('\n')
}

/** Each text once, with the crates that have it; crates word the same licence in more than one way. */
function terms(crates) {
  const names = new Map()
  for (const { name, licence } of crates) {
    const text = `${licence.name}\n${licence.terms}`
    names.set(text, [...(names.get(text) ?? []), name])
  }
  return [...names]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([text, who]) => {
      const [licence, words] = text.split('\n')
      return [`### ${licence}: ${who.join(', ')}`, '', ...wrap(words), ''].join('\n')
    })
}

function wrap(text, width = 130) {
  const lines = ['>']
  for (const word of text.split(' ')) {
    if (lines.at(-1).length + word.length >= width) lines.push('>')
    lines[lines.length - 1] += ` ${word}`
  }
  return lines
}
