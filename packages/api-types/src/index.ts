export * from './meta.ts';
export * from './json.ts';
export * from './names.ts';
export * from './core.ts';
export * from './snapshot.ts';
