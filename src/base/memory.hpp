// Memory that has become free goes back to the system: by itself little of it does, as what is still in use stands between.
#pragma once

namespace cmux {

// Frees what this thread keeps to use again, and gives back what the whole process has free, where that is worth its while. Takes
// up to some milliseconds: for quiet times.
void give_back_memory() noexcept;

}  // namespace cmux
