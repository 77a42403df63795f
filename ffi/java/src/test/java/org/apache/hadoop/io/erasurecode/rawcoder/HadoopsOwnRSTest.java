package org.apache.hadoop.io.erasurecode.rawcoder;

import org.junit.jupiter.api.Test;

/**
 * Hadoop's own tests of raw coders for {@code rs}, run with ours. They are of JUnit 5 from Hadoop 3.5 on, and of
 * JUnit 4 before, for which the class has to be public.
 */
public class HadoopsOwnRSTest extends TestRSRawCoderBase {
  /** Hadoop's tests make encoder and decoder by these factories. */
  public HadoopsOwnRSTest() {
    encoderFactoryClass = Codec.RS.restripe.getClass();
    decoderFactoryClass = Codec.RS.restripe.getClass();
    setAllowDump(false);
  }

  /** Theirs releases coders of no units at all, which ours refuse to be. */
  @Override
  @Test
  public void testIdempotentReleases() {
    prepare(null, 6, 3, new int[] {0}, new int[] {0});
    super.testIdempotentReleases();
  }

  @Test
  void afterRelease() throws Exception {
    prepare(null, 6, 3, new int[] {0}, new int[] {0});
    testAfterRelease();
  }
}
