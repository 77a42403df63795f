package org.apache.hadoop.io.erasurecode.rawcoder;

import org.junit.jupiter.api.Test;

/**
 * Hadoop's own tests of raw coders for {@code xor}, run with ours. They are of JUnit 5 from Hadoop 3.5 on, and of
 * JUnit 4 before, for which the class has to be public.
 */
public class HadoopsOwnXORTest extends TestXORRawCoderBase {
  /** Hadoop's tests make encoder and decoder by these factories. */
  public HadoopsOwnXORTest() {
    encoderFactoryClass = Codec.XOR.restripe.getClass();
    decoderFactoryClass = Codec.XOR.restripe.getClass();
    setAllowDump(false);
  }

  /** Theirs releases coders of no units at all, which ours refuse to be. */
  @Override
  @Test
  public void testIdempotentReleases() {
    prepare(null, 10, 1, new int[] {0}, new int[0]);
    super.testIdempotentReleases();
  }

  @Test
  void afterRelease() throws Exception {
    prepare(null, 10, 1, new int[] {0}, new int[0]);
    testAfterRelease();
  }
}
