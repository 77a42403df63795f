package restripe.rawcoder;

import java.lang.management.ManagementFactory;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import javax.management.JMException;
import javax.management.ObjectName;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import restripe.Restripe;
import restripe.RestripeException;

/** What the coders of this virtual machine count, and what they say when the first is made. */
final class RawCoders implements RawCodersMXBean {
  static final RawCoders INSTANCE = new RawCoders();

  private static final String NAME = "restripe:type=RawCoders";

  private static final Logger LOG = LoggerFactory.getLogger(RawCoders.class);

  final LongAdder encoders = new LongAdder();
  final LongAdder decoders = new LongAdder();
  private final LongAdder encodes = new LongAdder();
  private final LongAdder decodes = new LongAdder();
  private final LongAdder encodedBytes = new LongAdder();
  private final LongAdder decodedBytes = new LongAdder();
  private final AtomicBoolean isSaid = new AtomicBoolean();

  private RawCoders() {}

  void encoded(int units, int length) {
    encodes.increment();
    encodedBytes.add((long) units * length);
  }

  void decoded(int units, int length) {
    decodes.increment();
    decodedBytes.add((long) units * length);
  }

  /** Says once what there is, or why there is nothing. Another coder takes over then. */
  void say() {
    if (isSaid.get() || !isSaid.compareAndSet(false, true)) {
      return;
    }
    try {
      LOG.info(
          "restripe {} computes erasure codes: kernel {}, library from {}",
          Restripe.version(), Restripe.kernel(), Restripe.library());
    } catch (RestripeException e) {
      LOG.warn("{}. The raw coder that comes next takes over.", e.getMessage());
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
