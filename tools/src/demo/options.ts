// The demo's flags.
import { defineFlags } from '@snapshot-stack/runtime/process';

export const flags = defineFlags({
  from: { type: 'string', default: '', help: 'Folder to put into the claim; one is made when none is given' },
  out: { type: 'string', default: '', help: 'Folder to leave the restored copy in; it must not exist yet, or be empty' },
  keep: { type: 'bool', default: false, help: 'Leave the cluster running and print how to use and stop it' },
  stop: { type: 'string', default: '', help: 'Stop a cluster that --keep left running: its work folder' },
  port: { type: 'int', default: 0, help: 'Port of the API server; 0 picks a free one' },
  'work-dir': { type: 'string', default: '', help: 'Folder for everything the demo makes; a temporary one by default' },
  filesystem: {
    type: 'string',
    default: 'auto',
    help: 'Where the driver keeps its data: host (the work folder itself), btrfs or xfs (in a loop image), or auto: host if it can reflink, else the first of the others that works here',
  },
  'snapshot-method': { type: 'string', default: 'auto', help: 'Handed to the driver: auto, btrfs-subvolume, reflink or copy' },
  v: { type: 'int', default: 0, help: 'Log level of all components' },
});

export type DemoOptions = ReturnType<typeof flags.parse>;
