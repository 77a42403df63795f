package restripe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.zip.CRC32C;
import org.apache.hadoop.io.erasurecode.ErasureCoderOptions;
import org.apache.hadoop.io.erasurecode.rawcoder.RSLegacyRawErasureCoderFactory;
import org.apache.hadoop.io.erasurecode.rawcoder.RSRawErasureCoderFactory;
import org.apache.hadoop.io.erasurecode.rawcoder.RawErasureCoderFactory;
import org.apache.hadoop.io.erasurecode.rawcoder.XORRawErasureCoderFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What the self-test knows is what Hadoop's own coders compute. */
class KnownAnswersTest {
  private static RawErasureCoderFactory hadoop(Matrix matrix) {
    switch (matrix) {
      case CAUCHY:
        return new RSRawErasureCoderFactory();
      case RS_LEGACY:
        return new RSLegacyRawErasureCoderFactory();
      default:
        return new XORRawErasureCoderFactory();
    }
  }

  @ParameterizedTest
  @EnumSource(KnownAnswers.class)
  void theKnownParityIsHadoops(KnownAnswers known) throws IOException {
    byte[][] parity = new byte[known.parityUnits][KnownAnswers.LENGTH];
    hadoop(known.matrix)
        .createEncoder(new ErasureCoderOptions(known.dataUnits, known.parityUnits))
        .encode(known.data(), parity);
    CRC32C crc = new CRC32C();
    for (byte[] unit : parity) {
      crc.update(unit);
    }
    assertEquals(
        Integer.toHexString((int) crc.getValue()), Integer.toHexString(known.crcOfParity));
    assertTrue(known.parityIsRight());
  }
}
