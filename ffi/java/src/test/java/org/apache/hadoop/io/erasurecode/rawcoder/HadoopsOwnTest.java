package org.apache.hadoop.io.erasurecode.rawcoder;

import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** Hadoop's own tests of raw coders, run with ours. */
class HadoopsOwnTest {
  /** Hadoop's tests make encoder and decoder by one factory. */
  private static void use(TestRawCoderBase tests, Codec codec) {
    tests.encoderFactoryClass = codec.restripe.getClass();
    tests.decoderFactoryClass = codec.restripe.getClass();
    tests.setAllowDump(false);
  }

  @Nested
  class RS extends TestRSRawCoderBase {
    RS() {
      use(this, Codec.RS);
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

  @Nested
  class RSLegacy extends TestRSRawCoderBase {
    RSLegacy() {
      use(this, Codec.RS_LEGACY);
    }

    @Override
    @Test
    public void testIdempotentReleases() {
      prepare(null, 6, 3, new int[] {0}, new int[] {0});
      super.testIdempotentReleases();
    }
  }

  @Nested
  class XOR extends TestXORRawCoderBase {
    XOR() {
      use(this, Codec.XOR);
    }

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
}
