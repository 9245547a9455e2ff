// What GCC 12's archives want of a newer glibc than 2.34, by what that one has. The linker takes these, since they are in the
// program itself.
#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdint>

// std::random_device; glibc 2.36.
extern "C" [[gnu::visibility("hidden")]] std::uint32_t arc4random() noexcept {
  std::uint32_t number = 0;
  if (getentropy(&number, sizeof number) != 0) abort();
  return number;
}

#ifdef DLFO_STRUCT_HAS_EH_DBASE  // else this glibc is older itself, and the unwinder made for it does not ask

namespace {

struct Search {
  std::uintptr_t wanted;
  dl_find_object* found;
};

int look_at(dl_phdr_info* object, std::size_t, void* data) {
  const Search& search = *static_cast<Search*>(data);
  const ElfW(Phdr)* table = nullptr;
  bool here = false;
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    const std::uintptr_t start = object->dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_GNU_EH_FRAME) table = &segment;
    if (segment.p_type != PT_LOAD || search.wanted < start || search.wanted - start >= segment.p_memsz) continue;
    here = true;
    search.found->dlfo_map_start = reinterpret_cast<void*>(start);
    search.found->dlfo_map_end = reinterpret_cast<void*>(start + segment.p_memsz);
  }
  if (!here || !table) return here ? -1 : 0;
  search.found->dlfo_eh_frame = reinterpret_cast<void*>(object->dlpi_addr + table->p_vaddr);
  return 1;
}

}  // namespace

// The unwinder: where is the unwind table of this piece of code? glibc 2.35.
extern "C" [[gnu::visibility("hidden")]] int _dl_find_object(void* address, dl_find_object* result) noexcept {
  *result = {};  // the unwinder asks for no more than what is filled in
  Search search{reinterpret_cast<std::uintptr_t>(address), result};
  return dl_iterate_phdr(look_at, &search) > 0 ? 0 : -1;
}

#endif
