// Ends a vitest run with one plain line of counts, and before it names every test that was skipped:
// a machine that lacks something (Go, loop devices, root) shows in the output, never as silence.
import type { Reporter, TestModule } from 'vitest/node';

export default class CountsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    const skipped: string[] = [];
    for (const module of modules) {
      // A file that cannot even be loaded has no tests to count, and must not look like success.
      if (module.state() === 'failed' && [...module.children.allTests()].length === 0) counts.failed++;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') counts.passed++;
        else if (result.state === 'failed') counts.failed++;
        else {
          counts.skipped++;
          skipped.push(`${module.relativeModuleId}: ${test.fullName}${result.state === 'skipped' && result.note ? ` (${result.note})` : ''}`);
        }
      }
    }
    for (const name of skipped) console.log(`skipped: ${name}`);
    console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  }
}
