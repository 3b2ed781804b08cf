import { FlagError } from '@snapshot-stack/runtime';
import { describe, expect, it } from 'vitest';
import { parseOptions } from './options.ts';

const files = ['--tls-cert-file=a.crt', '--tls-private-key-file=a.key'];

describe('the command line', () => {
  it('of upstream starts the webhook with its files', () => {
    const options = parseOptions([...files, '--port=8443', '--prevent-volume-mode-conversion=false', '--enable-volume-group-snapshot-webhook']);
    expect(options).toMatchObject({ certificates: 'files', certFile: 'a.crt', keyFile: 'a.key', port: 8443, preventVolumeModeConversion: false });
  });

  it('may be empty', () => {
    expect(parseOptions([], { POD_NAMESPACE: 'storage' })).toMatchObject({
      certificates: 'self-made',
      namespace: 'storage',
      port: 443,
      webhookConfigurations: ['validation-webhook.snapshot.storage.k8s.io', 'validation-webhook.groupsnapshot.storage.k8s.io'],
      convertedCrds: ['volumegroupsnapshotcontents.groupsnapshot.storage.k8s.io'],
      drainMs: 5_000,
    });
  });

  it('may leave all CRDs alone, and take several configurations', () => {
    const options = parseOptions(['--converted-crd=', '--validating-webhook-configuration=a', '--validating-webhook-configuration=b']);
    expect([options.convertedCrds, options.webhookConfigurations]).toEqual([[], ['a', 'b']]);
  });

  it('takes files for cert-manager', () => {
    expect(parseOptions([...files, '--certificates=cert-manager']).certificates).toBe('cert-manager');
  });

  it.each([
    [['--tls-cert-file=a'], 'belong together'],
    [['--certificates=files'], 'needs --tls-cert-file'],
    [['--certificates=cert-manager'], 'needs --tls-cert-file'],
    [['--certificates=self-made', ...files], 'excludes'],
    [['--certificates=magic'], 'write self-made, files or cert-manager'],
    [['--port=70000'], '--port'],
    [['--max-body-bytes=10'], '--max-body-bytes'],
    [['--max-connections=0'], '--max-connections'],
    [['--drain=-1s'], '--drain'],
  ])('%j is refused', (argv, message) => {
    expect(() => parseOptions(argv)).toThrow(FlagError);
    expect(() => parseOptions(argv)).toThrow(message);
  });
});
