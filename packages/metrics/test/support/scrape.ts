/** The series of a scrape. */
export interface Scrape {
  readonly text: string;
  /** The sum of every series of a metric that has these labels; `undefined` when there is none. */
  sum(name: string, labels?: Readonly<Record<string, string>>): number | undefined;
  /** The greatest of these series; `undefined` when there is none. */
  greatest(name: string, labels?: Readonly<Record<string, string>>): number | undefined;
}

/** Read Prometheus text. */
export function readScrape(text: string): Scrape {
  const values = (name: string, labels: Readonly<Record<string, string>> = {}): number[] =>
    text
      .split("\n")
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .filter((line) =>
        Object.entries(labels).every(([label, value]) => line.includes(`${label}="${value}"`)),
      )
      .map((line) => Number(line.slice(line.lastIndexOf(" ") + 1)));
  const orNone = (found: readonly number[], reduce: () => number): number | undefined =>
    found.length === 0 ? undefined : reduce();
  return {
    text,
    sum(name, labels) {
      const found = values(name, labels);
      return orNone(found, () => found.reduce((total, value) => total + value, 0));
    },
    greatest(name, labels) {
      const found = values(name, labels);
      return orNone(found, () => Math.max(...found));
    },
  };
}
