package restripe;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Field;
import java.nio.Buffer;
import java.nio.ByteBuffer;

/**
 * Where direct buffers lie in memory.
 *
 * <p>JNI can be asked, buffer by buffer; of all that a call costs that would be the half. From Java
 * 22 on {@code MemorySegment} tells, and before there is the field that JNI itself reads. Both are
 * constants to the compiler, which makes a load of them. Where there is neither, JNI is asked.
 */
final class Addresses {
  /** The first release in which memory segments are there to stay, and the field is not. */
  private static final double SEGMENTS_SINCE = 22;

  /** Of what lies between position and limit, from {@link Buffer}. */
  private static final MethodHandle BY_SEGMENT;

  /** Of the buffer's first byte, wherever its position is, from {@link Buffer}. */
  private static final MethodHandle BY_FIELD;

  static {
    boolean segments =
        Double.parseDouble(System.getProperty("java.specification.version")) >= SEGMENTS_SINCE;
    BY_SEGMENT = segments ? bySegment() : null;
    BY_FIELD = segments ? null : byField();
  }

  private Addresses() {}

  /** The address of a direct buffer's first byte, wherever its position is. */
  static long of(ByteBuffer buffer) {
    try {
      if (BY_FIELD != null) {
        return (long) BY_FIELD.invokeExact((Buffer) buffer);
      }
      if (BY_SEGMENT != null) {
        return (long) BY_SEGMENT.invokeExact((Buffer) buffer.duplicate().clear());
      }
      return Native.address(buffer);
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  private static MethodHandle bySegment() {
    try {
      Class<?> segment = Class.forName("java.lang.foreign.MemorySegment");
      MethodHandles.Lookup lookup = MethodHandles.publicLookup();
      return MethodHandles.filterReturnValue(
          lookup.findStatic(segment, "ofBuffer", MethodType.methodType(segment, Buffer.class)),
          lookup.findVirtual(segment, "address", MethodType.methodType(long.class)));
    } catch (ReflectiveOperationException e) {
      return null;
    }
  }

  private static MethodHandle byField() {
    try {
      Class<?> type = Class.forName("sun.misc.Unsafe");
      Field instance = type.getDeclaredField("theUnsafe");
      instance.setAccessible(true);
      Object unsafe = instance.get(null);
      long offset =
          (long)
              type.getMethod("objectFieldOffset", Field.class)
                  .invoke(unsafe, Buffer.class.getDeclaredField("address"));
      MethodHandle read =
          MethodHandles.publicLookup()
              .findVirtual(
                  type, "getLong", MethodType.methodType(long.class, Object.class, long.class));
      return MethodHandles.insertArguments(read.bindTo(unsafe), 1, offset)
          .asType(MethodType.methodType(long.class, Buffer.class));
    } catch (ReflectiveOperationException | RuntimeException e) {
      return null;
    }
  }
}
