/**
 * A fake upstream as a process of its own, to run in a network namespace. Arguments: its address, its port, and either
 * `answer` and the address that every name has, or `relay` and the address and port that it asks. It prints `ready`, and
 * the name of each query.
 */
import { type Behaviour, FakeUpstream, onlyAddress, questionOf, relaying } from './fake-upstream.ts';

const [address, port, kind, target, targetPort] = process.argv.slice(2) as [string, string, string, string, string?];
const behaviour: Behaviour = kind === 'relay' ? relaying(target, Number(targetPort)) : onlyAddress(target);
await FakeUpstream.open(
  (query, overTcp, seen) => {
    console.log(questionOf(query).name);
    return behaviour(query, overTcp, seen);
  },
  { address, port: Number(port), seesLoopChecks: kind === 'relay' },
);
console.log('ready');
