package org.apache.hadoop.io.erasurecode.rawcoder;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import javax.management.JMException;
import javax.management.ObjectName;
import org.apache.hadoop.HadoopIllegalArgumentException;
import org.apache.hadoop.io.erasurecode.ErasureCoderOptions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import restripe.Matrix;
import restripe.ReedSolomon;
import restripe.Restripe;
import restripe.RestripeException;

/** What the coders of this virtual machine have in common: their codes, and what they count. */
final class RestripeRawCoders implements RestripeRawCodersMXBean {
  static final RestripeRawCoders INSTANCE = new RestripeRawCoders();

  /** As many units as Hadoop's own coders take. */
  private static final int MAX_UNITS = 255;

  private static final String NAME = "restripe:type=RawCoders";

  private static final Logger LOG = LoggerFactory.getLogger(RestripeRawCoders.class);

  final LongAdder encoders = new LongAdder();
  final LongAdder decoders = new LongAdder();
  private final LongAdder encodes = new LongAdder();
  private final LongAdder decodes = new LongAdder();
  private final LongAdder encodedBytes = new LongAdder();
  private final LongAdder decodedBytes = new LongAdder();
  private final AtomicBoolean isSaid = new AtomicBoolean();

  private RestripeRawCoders() {}

  /** The code for those options: one for all coders, since readers make a decoder for every file. */
  static ReedSolomon code(ErasureCoderOptions options, Matrix matrix) {
    INSTANCE.say();
    if (options.getNumAllUnits() > MAX_UNITS) {
      throw new HadoopIllegalArgumentException(
          options.getNumDataUnits() + " data and " + options.getNumParityUnits()
              + " parity units, expected at most " + MAX_UNITS + " together");
    }
    return ReedSolomon.shared(options.getNumDataUnits(), options.getNumParityUnits(), matrix);
  }

  /** Hadoop's callers look for this word. */
  static void checkOpen(boolean closed, Object coder) throws IOException {
    if (closed) {
      throw new IOException(coder.getClass().getSimpleName() + " closed");
    }
  }

  void encoded(int units, int length) {
    encodes.increment();
    encodedBytes.add((long) units * length);
  }

  void decoded(int units, int length) {
    decodes.increment();
    decodedBytes.add((long) units * length);
  }

  /** Says once what there is, or why there is nothing. Hadoop goes on with its next coder then. */
  private void say() {
    if (!isSaid.compareAndSet(false, true)) {
      return;
    }
    try {
      LOG.info(
          "restripe {} computes erasure codes: kernel {}, library from {}",
          Restripe.version(), Restripe.kernel(), Restripe.library());
    } catch (RestripeException e) {
      LOG.warn("{}. Hadoop goes on with the raw coder that is configured next.", e.getMessage());
      return;
    }
    try {
      ManagementFactory.getPlatformMBeanServer().registerMBean(this, new ObjectName(NAME));
    } catch (JMException | SecurityException e) {
      LOG.debug("{} cannot be registered", NAME, e);
    }
  }

  @Override
  public String getVersion() {
    return Restripe.version();
  }

  @Override
  public String getKernel() {
    return Restripe.kernel();
  }

  @Override
  public String getLibrary() {
    return Restripe.library();
  }

  @Override
  public long getEncoders() {
    return encoders.sum();
  }

  @Override
  public long getDecoders() {
    return decoders.sum();
  }

  @Override
  public long getEncodes() {
    return encodes.sum();
  }

  @Override
  public long getDecodes() {
    return decodes.sum();
  }

  @Override
  public long getEncodedBytes() {
    return encodedBytes.sum();
  }

  @Override
  public long getDecodedBytes() {
    return decodedBytes.sum();
  }
}
