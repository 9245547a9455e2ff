// One implementation for import and require, so that a program that does both has one class.
import library from './lib/index.cjs';

export const { ProxyServer } = library;
