// All functions that rules may call, as kube-apiserver offers them.
import type { FunctionTable } from '../functions.ts';
import { functionTable } from '../functions.ts';
import { namedFormats } from './formats.ts';
import { lists } from './lists.ts';
import { network } from './network.ts';
import { quantities } from './quantity.ts';
import { standard } from './standard.ts';
import { strings } from './strings.ts';

export const library: FunctionTable = functionTable(standard, strings, lists, quantities, network, namedFormats);
