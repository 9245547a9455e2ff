#include "upstream/place.hpp"

namespace cmux::upstream {

Lease::Lease() = default;
Lease::Lease(Lease&&) noexcept = default;
Lease::~Lease() { give_back(); }

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    give_back();
    kept_ = std::move(other.kept_);
    stream_ = std::move(other.stream_);
    shared_ = std::move(other.shared_);
    opening_ = other.opening_;
    serial_ = other.serial_;
  }
  return *this;
}

http::Stream& Lease::stream() const {
  if (kept_) return kept_->connection;
  return *stream_;
}

const Parent* Lease::parent() const { return kept_ ? kept_->parent : shared_ ? shared_->parent : nullptr; }

bool Lease::at_parent() const { return kept_ && kept_->connection.is_to_proxy(); }

void Lease::give_back() {
  stream_.reset();
  shared_.reset();
  if (kept_ && kept_->connection.reusable()) kept_->pool->keep(std::move(kept_));
  kept_.reset();
}

}  // namespace cmux::upstream
