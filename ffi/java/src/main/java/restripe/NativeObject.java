package restripe;

import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongConsumer;

/**
 * An object whose other half is native.
 *
 * <p>The handle survives misuse: the native side knows whether what it stands for is closed, and
 * keeps it while a call uses it. Those that nobody closes are closed when the next one is made
 * after they have become garbage. Native methods that take the handle are methods of the object, so
 * it does not become garbage in the middle of one.
 */
abstract class NativeObject implements AutoCloseable {
  private static final ReferenceQueue<NativeObject> GARBAGE = new ReferenceQueue<>();

  /** References count only as long as they are themselves reachable. */
  private static final Set<Reference> OPEN = ConcurrentHashMap.newKeySet();

  private final Reference reference;

  NativeObject(long handle, LongConsumer closer) {
    for (Object next = GARBAGE.poll(); next != null; next = GARBAGE.poll()) {
      ((Reference) next).close();
    }
    reference = new Reference(this, handle, closer);
    OPEN.add(reference);
  }

  final long handle() {
    return reference.handle;
  }

  /**
   * Gives the native memory back, as soon as no call uses it any more. Nothing happens where it is
   * closed already.
   */
  @Override
  public void close() {
    reference.close();
  }

  private static final class Reference extends PhantomReference<NativeObject> {
    final long handle;
    private final LongConsumer closer;

    Reference(NativeObject object, long handle, LongConsumer closer) {
      super(object, GARBAGE);
      this.handle = handle;
      this.closer = closer;
    }

    void close() {
      if (OPEN.remove(this)) {
        closer.accept(handle);
      }
    }
  }
}
