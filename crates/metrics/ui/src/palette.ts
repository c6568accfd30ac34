/** Colours with a meaning: one per account, the same in every chart and table. Pure. */

export interface Palette {
  /** For accounts; told apart by colour-blind eyes, at least 3:1 against the panel. */
  accounts: readonly string[];
  rest: string;
  /** A single series. */
  one: string;
  limit: string;
  text: string;
  muted: string;
  line: string;
  panel: string;
  raised: string;
  /** From nothing to most. */
  heat: readonly string[];
}

export const LIGHT: Palette = {
  accounts: ['#0c8367', '#2272b4', '#d26a08', '#94489e', '#83831a', '#c43f5a', '#4a44a8'],
  rest: '#7b8790',
  one: '#1b7499',
  limit: '#b3452c',
  text: '#17222b',
  muted: '#56646e',
  line: '#dfe5e8',
  panel: '#ffffff',
  raised: '#ffffff',
  heat: ['#eff3f5', '#c5dfea', '#7fb9d1', '#3b8db0', '#176a8f', '#0a4765'],
};

export const DARK: Palette = {
  accounts: ['#3fbf9d', '#5ba8e5', '#eda050', '#c48bd0', '#c5c253', '#ee7b8d', '#9b95f2'],
  rest: '#83919b',
  one: '#4fb3d6',
  limit: '#f08a6c',
  text: '#e3eaee',
  muted: '#98a7b1',
  line: '#29343a',
  panel: '#161d21',
  raised: '#1f282d',
  heat: ['#1d262b', '#1d4152', '#246580', '#3a90b0', '#75bfdb', '#d3eef9'],
};

/**
 * A colour slot per account: the one its name leads to, or the next that is free, in the order of the names. So no two
 * share one while there are enough, and a new account changes the colour of another only when both want the same.
 */
export function slots(accounts: readonly string[], count: number): Map<string, number> {
  const taken = new Set<number>();
  const slots = new Map<string, number>();
  for (const account of [...new Set(accounts)].sort()) {
    let slot = hash(account) % count;
    for (let step = 0; step < count && taken.has(slot); step += 1) slot = (slot + 1) % count;
    taken.add(slot);
    slots.set(account, slot);
  }
  return slots;
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
