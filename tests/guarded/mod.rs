//! Buffers between two pages that may not be touched.

use region::Protection;

/// Which guard page a slice lies against.
#[derive(Clone, Copy, Debug)]
pub enum Edge {
    /// Its first byte is the first after the page before.
    Front,
    /// Its last byte is the last before the page behind.
    Back,
}

/// One usable page with a page on each side that faults when it is touched.
pub struct Guarded {
    pages: region::Allocation,
}

impl Guarded {
    pub fn new() -> Self {
        let page = region::page::size();
        let mut pages = region::alloc(3 * page, Protection::READ_WRITE).unwrap();
        let start = pages.as_mut_ptr::<u8>();
        // SAFETY: both pages belong to this allocation and nothing refers to them.
        unsafe {
            region::protect(start, page, Protection::NONE).unwrap();
            region::protect(start.add(2 * page), page, Protection::NONE).unwrap();
        }
        Self { pages }
    }

    /// Bytes before the slice of `len` bytes at that edge.
    fn offset(edge: Edge, len: usize) -> usize {
        let page = region::page::size();
        assert!(len <= page);
        match edge {
            Edge::Front => page,
            Edge::Back => 2 * page - len,
        }
    }

    pub fn slice(&self, edge: Edge, len: usize) -> &[u8] {
        let start = self.pages.as_ptr::<u8>();
        // SAFETY: `len` bytes of the middle page, which is readable and initialised to zeros.
        unsafe { std::slice::from_raw_parts(start.add(Self::offset(edge, len)), len) }
    }

    pub fn slice_mut(&mut self, edge: Edge, len: usize) -> &mut [u8] {
        let start = self.pages.as_mut_ptr::<u8>();
        // SAFETY: `len` bytes of the middle page, which is writable, borrowed mutably here.
        unsafe { std::slice::from_raw_parts_mut(start.add(Self::offset(edge, len)), len) }
    }
}
