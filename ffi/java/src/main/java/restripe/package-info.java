/**
 * Erasure coding and checksums by the native engine restripe.
 *
 * <p>{@link restripe.ReedSolomon} computes parity and rebuilds what is lost; {@link restripe.Plan}
 * is how to compute some units from others, kept or sent; {@link restripe.ChunkChecksum} computes
 * and verifies the checksums of chunks as HDFS stores them.
 *
 * <p>Buffers are direct {@link java.nio.ByteBuffer}s, which are not copied, or arrays on the heap,
 * which are gone through 64 KiB at a time so that garbage collection never waits long. All buffers
 * of one call are of one sort. Their bytes are those between position and limit; neither is moved.
 * Outputs and inputs do not overlap. A buffer that is read is not written meanwhile by other
 * threads, or what comes out is of no use.
 *
 * <p>Objects may be used by several threads at a time. Those that are {@link
 * java.lang.AutoCloseable} hold native memory; they may be closed twice, and while others use them;
 * using one that is closed is an {@link java.lang.IllegalStateException}. One that nobody closes is
 * closed some time after it has become garbage.
 */
package restripe;
