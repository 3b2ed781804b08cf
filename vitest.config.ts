import { defaultServerConditions } from 'vite';
import { defineConfig } from 'vitest/config';

// Everything runs from TypeScript sources: the `@snapshot-stack/source` condition points each
// workspace's exports at src/, so that no build has to come first.
const conditions = ['@snapshot-stack/source', ...defaultServerConditions];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['{src,test}/**/*.test.ts', '{packages/*,e2e,tools}/{src,test}/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    execArgv: ['--conditions=@snapshot-stack/source', '--disable-warning=ExperimentalWarning'],
    maxWorkers: 2,
    reporters: ['default', new URL('tools/src/test/counts-reporter.ts', import.meta.url).pathname],
  },
});
