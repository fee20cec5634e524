/**
 * How names of the namespaces are asked of the daemon by programs of this machine that know nothing of it, while all
 * other names go where they went: lines for a shell, by what the machine resolves names with.
 */
import { isIPv6 } from 'node:net';

export interface Zones {
  /** Lower case. */
  readonly names: readonly string[];
  /** Where the daemon answers DNS, as this machine reaches it. */
  readonly server: { readonly address: string; readonly port: number };
}

export const SETUPS = ['macos', 'resolved', 'networkmanager'] as const;
export type Setup = (typeof SETUPS)[number];

export const SETUP_TITLES: Readonly<Record<Setup, string>> = {
  macos: 'macOS: /etc/resolver',
  resolved: 'systemd-resolved: a link of its own, until the next boot',
  networkmanager: "NetworkManager's dnsmasq",
};

/** Lines that may be pasted, again and again. */
export function setupLines(setup: Setup, zones: Zones): string[] {
  return { macos, resolved, networkmanager }[setup](zones);
}

/** Each file names one domain; what is put there is used at once (resolver(5)). */
function macos({ names, server: { address, port } }: Zones): string[] {
  return [
    'sudo mkdir -p /etc/resolver',
    ...names.map(
      (name) => `printf 'nameserver ${address}\\nport ${port}\\n' | sudo tee ${shellWord(`/etc/resolver/${name}`)}`,
    ),
  ];
}

/**
 * A link, as resolved asks the servers of a link for that link's domains alone, and a server of its own settings for
 * everything; not `lo`, which it lets nobody set. `~`: names are sent there, and none are completed with it.
 */
function resolved({ names, server: { address, port } }: Zones): string[] {
  return [
    'sudo ip link add cloudmap type dummy',
    `sudo ip address replace ${LINK_ADDRESS} dev cloudmap`,
    'sudo ip link set cloudmap up',
    `sudo resolvectl dns cloudmap ${isIPv6(address) ? `[${address}]` : address}:${port}`,
    `sudo resolvectl domain cloudmap ${names.map((name) => shellWord(`~${name}`)).join(' ')}`,
    'sudo resolvectl default-route cloudmap no',
  ];
}

/** A link without an address is one that resolved does not use. Nobody has this one (RFC 5737). */
const LINK_ADDRESS = '192.0.2.53/32';

function networkmanager({ names, server: { address, port } }: Zones): string[] {
  const servers = names.map((name) => `server=/${name}/${address}#${port}\\n`).join('');
  return [
    "printf '[main]\\ndns=dnsmasq\\n' | sudo tee /etc/NetworkManager/conf.d/cloudmapd.conf",
    `printf '${servers}' | sudo tee /etc/NetworkManager/dnsmasq.d/cloudmapd.conf`,
    'sudo systemctl restart NetworkManager',
  ];
}

/** Names of zones are those of hosts, and more: what a shell would read otherwise stands in quotes. */
function shellWord(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
