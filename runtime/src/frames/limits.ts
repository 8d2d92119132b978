/** The bounds of the frame protocol (proto/florin/frames/v1), checked at both ends. */

/** Commands or answers in one frame. */
export const commandsPerFrameMax = 1_024;
/** Method names in one frame. */
export const methodsPerFrameMax = 32;
/** A frame is closed once it holds so many bytes; the last body may carry it beyond, never past `messageBytesMax`. */
export const frameBytesSoftMax = 262_144;
/** Bytes of frames that a stream has not taken yet; from here on its writer waits. */
export const unwrittenBytesMax = 1_048_576;
/** The body of one command or answer, bytes. */
export const bodyBytesMax = 1_048_576;
/** Length of a gRPC message that a peer accepts, bytes. Larger than any frame (soft max + one body + envelope). */
export const messageBytesMax = 4_194_304;
/** Time-out of one command, ms. */
export const timeoutMsMax = 120_000;
/** Length of a traceparent header that is carried (W3C version 00 has 55). */
export const traceparentLengthMax = 64;
/** Commands in flight on one stream, when the owner does not say otherwise. */
export const commandsInFlightDefault = 4_096;
/** Answer id 0 is no command's: the server asks the client to send no more on this stream and to close it when its commands are answered. */
export const goingAwayId = 0;
