/** The settings of an embedded PostgreSQL, given on its command line at every start. */

export type Tuning = {
  readonly maxConnections: number;
  /** False for tests only: a crash of the machine then loses the database. */
  readonly isDurable: boolean;
};

/** The command line after the program's name. It holds nothing secret. */
export function postgresArguments(data: string, port: number, tuning: Tuning): string[] {
  const settings = { ...BASE, port: String(port), ...tuned(tuning) };
  return ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

/** The settings by which a running PostgreSQL is judged to be one that we would start. */
export function tuned(tuning: Tuning): Readonly<Record<string, string>> {
  const durability = tuning.isDurable ? 'on' : 'off';
  return {
    max_connections: String(tuning.maxConnections),
    fsync: durability,
    synchronous_commit: durability,
    full_page_writes: durability,
  };
}

const BASE = {
  listen_addresses: '127.0.0.1',
  // Only TCP, with a password: a socket in /tmp is open to every user of the machine.
  unix_socket_directories: '',
  shared_buffers: '128MB',
  max_wal_size: '1GB',
  // The data lie on a disk without moving parts, or in memory.
  random_page_cost: '1.1',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // What a killed server left running ends by itself.
  client_connection_check_interval: '5s',
  // Errors of statements reach the server, which logs them without their values; here they would hold them.
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_checkpoints: 'off',
} as const;
