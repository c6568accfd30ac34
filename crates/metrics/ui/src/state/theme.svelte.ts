/** Light or dark: as the system has it, unless somebody chose. */

import { DARK, LIGHT, type Palette } from '../palette';

export const CHOICES = ['system', 'light', 'dark'] as const;
export type Choice = (typeof CHOICES)[number];

const KEY = 'vigie-theme';
const system = matchMedia('(prefers-color-scheme: dark)');

class Theme {
  choice = $state<Choice>(stored());
  #systemDark = $state(system.matches);
  dark = $derived(this.choice === 'system' ? this.#systemDark : this.choice === 'dark');
  palette: Palette = $derived(this.dark ? DARK : LIGHT);
  next: Choice = $derived(CHOICES[(CHOICES.indexOf(this.choice) + 1) % CHOICES.length] ?? 'system');

  constructor() {
    system.addEventListener('change', (change) => {
      this.#systemDark = change.matches;
      this.apply();
    });
  }

  choose(choice: Choice): void {
    this.choice = choice;
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // A browser that keeps nothing still shows it.
    }
    this.apply();
  }

  apply(): void {
    document.documentElement.dataset['theme'] = this.dark ? 'dark' : 'light';
  }
}

function stored(): Choice {
  try {
    const choice = localStorage.getItem(KEY);
    return CHOICES.find((known) => known === choice) ?? 'system';
  } catch {
    return 'system';
  }
}

export const theme = new Theme();
