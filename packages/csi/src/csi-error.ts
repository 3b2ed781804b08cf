// Every failure of a CSI call, as one class, and the one table from gRPC code to what it means: may the driver
// still be working on it, and can the same call succeed later.
// Source: CSI spec, "Error Scheme" and "Timeouts"; external-snapshotter treats the same codes as final.
import { status as GrpcStatus } from '@grpc/grpc-js';

export type CsiCode = keyof typeof GrpcStatus;

export interface CodeMeaning {
  /** What happened, for a person. */
  meaning: string;
  /** True when the driver has surely ended its work on the call; false when it may still be running. */
  final: boolean;
  /** True when the identical call can succeed later without anybody changing it. */
  retryable: boolean;
}

export const CODE_MEANINGS: Readonly<Record<CsiCode, CodeMeaning>> = {
  OK: { meaning: 'success', final: true, retryable: false },
  CANCELLED: { meaning: 'the call was cancelled', final: false, retryable: true },
  UNKNOWN: { meaning: 'the driver failed without saying how', final: true, retryable: true },
  INVALID_ARGUMENT: { meaning: 'the request is wrong', final: true, retryable: false },
  DEADLINE_EXCEEDED: { meaning: 'no answer in time', final: false, retryable: true },
  NOT_FOUND: { meaning: 'the volume or snapshot does not exist', final: true, retryable: true },
  ALREADY_EXISTS: { meaning: 'the name is taken by something incompatible', final: true, retryable: false },
  PERMISSION_DENIED: { meaning: 'the driver may not do it', final: true, retryable: true },
  RESOURCE_EXHAUSTED: { meaning: 'space or a limit is used up', final: false, retryable: true },
  FAILED_PRECONDITION: { meaning: 'the state does not allow it now', final: true, retryable: true },
  ABORTED: { meaning: 'another operation on it is pending', final: false, retryable: true },
  OUT_OF_RANGE: { meaning: 'a size or offset is out of range', final: true, retryable: false },
  UNIMPLEMENTED: { meaning: 'the driver does not support it', final: true, retryable: false },
  INTERNAL: { meaning: 'the driver failed', final: true, retryable: true },
  UNAVAILABLE: { meaning: 'the driver cannot be reached', final: false, retryable: true },
  DATA_LOSS: { meaning: 'the driver lost data', final: true, retryable: false },
  UNAUTHENTICATED: { meaning: 'the credentials are missing or wrong', final: true, retryable: true },
};

interface GrpcFailure {
  code: number;
  details?: string;
}

function isGrpcFailure(error: unknown): error is GrpcFailure {
  return typeof error === 'object' && error !== null && typeof (error as GrpcFailure).code === 'number';
}

export class CsiError extends Error {
  override readonly name = 'CsiError';
  readonly code: CsiCode;

  constructor(code: CsiCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  get grpcCode(): number {
    return GrpcStatus[this.code];
  }

  /** False when the driver may still be working on the call. */
  get final(): boolean {
    return CODE_MEANINGS[this.code].final;
  }

  get retryable(): boolean {
    return CODE_MEANINGS[this.code].retryable;
  }

  /**
   * Any thrown value as a CsiError. What is no gRPC status never reached a driver's answer, so it counts as
   * UNAVAILABLE: the call may still be running.
   */
  static from(error: unknown): CsiError {
    if (error instanceof CsiError) return error;
    if (isGrpcFailure(error)) {
      const code = (GrpcStatus[error.code] as CsiCode | undefined) ?? 'UNKNOWN';
      return new CsiError(code, error.details || (error as unknown as Error).message || CODE_MEANINGS[code].meaning, { cause: error });
    }
    return new CsiError('UNAVAILABLE', error instanceof Error ? error.message : String(error), { cause: error });
  }
}
