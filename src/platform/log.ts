/**
 * Structured logs without secrets: JSON lines for collectors, one readable line for people in development.
 * What must not be logged is taken out here, so that no caller can forget it (oauth rule 56).
 */
import { pino, destination as standardOutput, stdTimeFunctions } from 'pino';
import { gatherLines, type LogDestination } from './log-output.ts';
import { prettyLine } from './log-pretty.ts';
import { redact, redactText } from './log-redaction.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

type Write = (fields: object, message: string) => void;

/** Fields first, then what happened, in words. An error goes under `error`, with its causes. */
export type Log = {
  readonly debug: Write;
  readonly info: Write;
  readonly warn: Write;
  readonly error: Write;
  /** The same log with fields that stand on each of its lines. */
  readonly child: (fields: object) => Log;
};

export type LogOptions = {
  readonly level: LogLevel;
  /** For people instead of programs. */
  readonly pretty: boolean;
  /** Standard output, if left out. */
  readonly destination?: LogDestination;
};

/**
 * Creates the log of a process. Credentials, tokens, codes, passwords and bodies are replaced by `[redacted]`,
 * whatever field they stand in and however deep; in texts, what looks like one of ours.
 */
export function createLog({ level, pretty, destination }: LogOptions): Log {
  const output = destination ?? openStandardOutput();
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line) => output.write(pretty ? prettyLine(line) : line) },
  );
  return wrap(logger);
}

function openStandardOutput(): LogDestination {
  const output = gatherLines(standardOutput({ dest: 1, sync: true }));
  // The last line before an exit is the one that is needed.
  process.once('exit', output.flush);
  return output;
}

type Sink = Record<'debug' | 'info' | 'warn' | 'error', Write> & { readonly child: (fields: object) => Sink };

function wrap(sink: Sink): Log {
  return {
    debug: (fields, message) => sink.debug(redact(fields), redactText(message)),
    info: (fields, message) => sink.info(redact(fields), redactText(message)),
    warn: (fields, message) => sink.warn(redact(fields), redactText(message)),
    error: (fields, message) => sink.error(redact(fields), redactText(message)),
    child: (fields) => wrap(sink.child(redact(fields))),
  };
}
