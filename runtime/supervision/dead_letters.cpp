#include "runtime/supervision/dead_letters.hpp"

#include "schemas/dead_letter.hpp"

#include <algorithm>
#include <utility>

namespace troupe::runtime {

namespace {
/// Per text: a thousand letters stay under 2 MB.
constexpr std::size_t text_bytes_max = 500;
} // namespace

std::string to_json(const dead_letter& letter) {
    return troupe::to_json(
        dead_letter_document{letter.number, letter.at, letter.kind, letter.to, letter.type, letter.reason});
}

dead_letters::dead_letters(std::size_t kept_max, std::function<timestamp()> now)
    : kept_max_(kept_max), now_(std::move(now)) {}

void dead_letters::record(std::string_view kind, std::string_view to, std::string_view type, std::string_view reason) {
    const auto cut = [](std::string_view text) { return std::string(text.substr(0, text_bytes_max)); };
    dead_letter letter{
        .at = now_(), .kind = cut(kind), .to = cut(to), .type = cut(type), .reason = cut(reason), .number = 0};
    const std::lock_guard lock(mutex_);
    letter.number = ++recorded_;
    auto known = counts_.find(letter.kind);
    if (known == counts_.end()) {
        known = counts_.try_emplace(counts_.size() < kinds_max ? letter.kind : "other").first;
    }
    ++known->second;
    letters_.push_back(std::move(letter));
    if (letters_.size() > kept_max_) {
        letters_.pop_front();
    }
}

std::vector<dead_letter> dead_letters::list(std::size_t limit, std::uint64_t before) const {
    const std::lock_guard lock(mutex_);
    const auto oldest = recorded_ - letters_.size() + 1;
    const auto end = before == 0 ? letters_.size() : std::min(letters_.size(), before - std::min(before, oldest));
    std::vector<dead_letter> out;
    for (auto i = end; i > 0 && out.size() < limit; --i) {
        out.push_back(letters_[i - 1]);
    }
    return out;
}

std::uint64_t dead_letters::forgotten() const {
    const std::lock_guard lock(mutex_);
    return recorded_ - letters_.size();
}

std::map<std::string, std::uint64_t, std::less<>> dead_letters::counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
}

std::uint64_t dead_letters::count(std::string_view kind) const {
    const std::lock_guard lock(mutex_);
    const auto found = counts_.find(kind);
    return found == counts_.end() ? 0 : found->second;
}

} // namespace troupe::runtime
