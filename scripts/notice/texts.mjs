/** Licences: which of them is chosen for a crate, and its text, parted into who has the copyright and what is granted. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, stop } from '../run.mjs'

/** In the order of choice where there is one, each with words that no other text has. */
const licences = {
  MIT: 'Permission is hereby granted, free of charge',
  'BSD-2-Clause': 'Redistribution and use in source and binary forms',
  ISC: 'Permission to use, copy, modify, and/or distribute this software',
}

/** The chosen licence of a crate: its name, the copyright notices, and the terms in one line, to compare and to wrap. */
export function licenceOf(crate) {
  const offered = crate.license.split(/ OR |\//)
  const name = Object.keys(licences).find((known) => offered.includes(known))
  if (name === undefined) {
    stop(`${crate.name} ${crate.version} is under ${crate.license}, which scripts/notice/texts.mjs does not know`)
  }
  const text = textIn(crate.folder, licences[name]) ?? withoutText(crate, name)
  return { name, ...parts(text, licences[name], crate) }
}

function textIn(folder, words) {
  return readdirSync(folder)
    .filter((file) => /^(licen[cs]e|copying)/i.test(file))
    .sort()
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .find((text) => oneLine(text).includes(words))
}

/** Some crates name a licence and carry no text of it. That of MIT is known; who has the copyright, their manifest says. */
function withoutText(crate, name) {
  if (name !== 'MIT') stop(`${crate.name} ${crate.version} carries no text of its licence, ${name}`)
  const [, terms] = readFileSync(join(root, 'LICENSE-MIT'), 'utf8').split(/^(?=Permission)/m)
  return `Copyright (c) ${crate.authors.join(', ')}\n\n${terms}`
}

function parts(text, words, { authors }) {
  const line = oneLine(text)
  const start = line.indexOf(words)
  const notices = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => /^(copyright\b|\(c\)|©)/i.test(line))
    // A text with its blanks left empty.
    .map((notice) => notice.replace('<year> <owner> .', `${authors.join(', ')}.`))
  return { notices, terms: line.slice(start) }
}

/** Copyright notices in the heads of source files. */
export function noticesIn(files) {
  const found = files.flatMap((file) => {
    const [head] = readFileSync(file, 'utf8').split(/^\s*\*\/|^[^/*\s]/m)
    return head.match(/Copyright.*/gi) ?? []
  })
  return [...new Set(found.map((notice) => oneLine(notice.replace(/\*\/$/, ''))))].sort()
}

/** What the first lines of a source file say that its licence is. */
export function spdxOf(file) {
  return /SPDX-License-Identifier:\s*\(?([^)*\n]+?)\)?\s*(?:\*\/)?$/m.exec(readFileSync(file, 'utf8'))?.[1]
}

export const oneLine = (text) => text.replaceAll(/\s+/g, ' ').trim()
