// An intrusive list: a Link takes itself off the list when it is destroyed. One thread, nothing allocated.
#pragma once

namespace cmux {

class Link {
 public:
  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() { unlink(); }
  bool linked() const { return next_ != this; }
  void unlink() {
    previous_->next_ = next_;
    next_->previous_ = previous_;
    previous_ = next_ = this;
  }
  // Puts this behind `other`, off the list it was on.
  void link_after(Link& other) {
    unlink();
    previous_ = &other;
    next_ = other.next_;
    next_->previous_ = this;
    other.next_ = this;
  }
  void link_before(Link& other) {
    unlink();
    link_after(*other.previous_);
  }
  Link* next() const { return next_; }

 private:
  Link* previous_ = this;
  Link* next_ = this;
};

}  // namespace cmux
