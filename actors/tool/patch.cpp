#include "actors/tool/patch.hpp"

#include "schemas/base/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace troupe::actors {

namespace {

constexpr std::size_t shown_misfits_max = 10;
constexpr std::size_t shown_places_max = 5;
constexpr std::size_t shown_line_bytes_max = 120;

/// With their line feeds.
std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> all;
    while (!text.empty()) {
        const auto end = text.find('\n');
        all.push_back(text.substr(0, end == text.npos ? end : end + 1));
        text.remove_prefix(all.back().size());
    }
    return all;
}

std::vector<std::string_view> side_of(const patch_hunk& h, char left_out) {
    std::vector<std::string_view> all;
    for (const auto& l : h.lines) {
        if (l.kind != left_out) {
            all.push_back(l.text);
        }
    }
    return all;
}

std::string shown(std::string_view line) { return json::quoted(line.substr(0, shown_line_bytes_max)); }

/// How many lines of the hunk's old side are there, from that line on.
std::size_t agreeing(const std::vector<std::string_view>& content, std::size_t at,
                     const std::vector<std::string_view>& old_side) {
    std::size_t count = 0;
    while (count < old_side.size() && at + count < content.size() && content[at + count] == old_side[count]) {
        ++count;
    }
    return count;
}

std::string why_not(const std::vector<std::string_view>& content, std::size_t at,
                    const std::vector<std::string_view>& old_side) {
    const auto same = agreeing(content, at, old_side);
    const auto wanted = old_side[same];
    if (at + same >= content.size()) {
        return fmt::format("the file ends after line {}, where the patch has {}", content.size(), shown(wanted));
    }
    const auto there = content[at + same];
    std::string_view hint;
    if (there.ends_with("\r\n") && there.substr(0, there.size() - 2) == wanted.substr(0, wanted.find('\n'))) {
        hint = "; the lines of the file end in CR LF";
    } else if (there == wanted.substr(0, wanted.find('\n'))) {
        hint = "; the last line of the file has no line feed: add a line '\\ No newline at end of file'";
    }
    return fmt::format("line {} is {}, where the patch has {}{}", at + same + 1, shown(there), shown(wanted), hint);
}

/// Finds the places of the hunks of one file, one after the other.
class placing {
public:
    explicit placing(std::string_view content) : content_(lines_of(content)) {}

    /// The line, counted from 0, at which it fits; else it has said why not.
    std::optional<std::size_t> place(const patch_hunk& h, std::size_t number) {
        const auto old_side = side_of(h, '+');
        const auto expected_at = expected_line(h);
        const auto fits = [&](std::size_t at) {
            return at >= from_ && agreeing(content_, at, old_side) == old_side.size() && at <= content_.size();
        };
        if (fits(expected_at)) {
            return expected_at;
        }
        std::vector<std::size_t> places;
        for (auto at = from_; !old_side.empty() && at + old_side.size() <= content_.size(); ++at) {
            if (fits(at)) {
                places.push_back(at);
            }
        }
        if (places.size() == 1) {
            return places.front();
        }
        misfits_.push_back(fmt::format("hunk {} (@@ -{},{} +{},{} @@, line {} of the patch) {}", number, h.old_start,
                                       h.old_count, h.new_start, h.new_count, h.patch_line_number,
                                       places.empty() ? misfit(old_side, expected_at) : ambiguity(places)));
        return std::nullopt;
    }

    void placed(const patch_hunk& h, std::size_t at) {
        shift_ = static_cast<std::ptrdiff_t>(at) - static_cast<std::ptrdiff_t>(first_line(h));
        from_ = at + h.old_count;
    }

    [[nodiscard]] const std::vector<std::string_view>& content() const { return content_; }
    [[nodiscard]] const std::vector<std::string>& misfits() const { return misfits_; }
    [[nodiscard]] std::ptrdiff_t shift() const { return shift_; }

private:
    /// Where nothing is old, the number is that of the line before.
    static std::size_t first_line(const patch_hunk& h) {
        return h.old_count == 0 || h.old_start == 0 ? h.old_start : h.old_start - 1;
    }
    [[nodiscard]] std::size_t expected_line(const patch_hunk& h) const {
        const auto at = static_cast<std::ptrdiff_t>(first_line(h)) + shift_;
        return at < 0 ? 0 : static_cast<std::size_t>(at);
    }

    [[nodiscard]] std::string misfit(const std::vector<std::string_view>& old_side, std::size_t expected_at) const {
        if (old_side.empty()) {
            return fmt::format("does not fit: the file has {} lines only", content_.size());
        }
        // Where most of it is there, and of these the place that is nearest to the one that it names.
        auto best = std::min(std::max(expected_at, from_), content_.size());
        const auto far = [&](std::size_t at) { return at > expected_at ? at - expected_at : expected_at - at; };
        for (auto at = from_; at < content_.size(); ++at) {
            const auto here = agreeing(content_, at, old_side), so_far = agreeing(content_, best, old_side);
            if (here > so_far || (here == so_far && far(at) < far(best))) {
                best = at;
            }
        }
        return "does not fit: " + why_not(content_, best, old_side);
    }

    static std::string ambiguity(const std::vector<std::size_t>& places) {
        std::string lines;
        for (std::size_t i = 0; i < std::min(places.size(), shown_places_max); ++i) {
            lines += fmt::format("{}{}", i == 0 ? "" : ", ", places[i] + 1);
        }
        return fmt::format("does not fit where it says, but at {} other places (lines {}{}); mend its line number, or "
                           "give it more lines around the change",
                           places.size(), lines, places.size() > shown_places_max ? ", …" : "");
    }

    const std::vector<std::string_view> content_;
    std::size_t from_ = 0; ///< The first line that no hunk before has.
    std::ptrdiff_t shift_ = 0;
    std::vector<std::string> misfits_;
};

problem conflict_of(const file_patch& patch, const std::vector<std::string>& misfits) {
    std::string all;
    for (std::size_t i = 0; i < std::min(misfits.size(), shown_misfits_max); ++i) {
        all += fmt::format("{}{}: {}", i == 0 ? "" : "\n", patch.old_path.empty() ? patch.new_path : patch.old_path,
                           misfits[i]);
    }
    if (misfits.size() > shown_misfits_max) {
        all += fmt::format("\n… and {} more", misfits.size() - shown_misfits_max);
    }
    return {code::conflict, std::move(all)};
}

} // namespace

expected<patched_text> apply_hunks(const file_patch& patch, std::string_view content) {
    placing places(content);
    patched_text out;
    std::size_t copied = 0, line = 1;
    const auto copy_until = [&](std::size_t end) {
        for (; copied < end; ++copied, ++line) {
            out.content += places.content()[copied];
        }
    };
    for (std::size_t i = 0; i < patch.hunks.size(); ++i) {
        const auto& h = patch.hunks[i];
        const auto at = places.place(h, i + 1);
        if (!at) {
            continue;
        }
        places.placed(h, *at);
        copy_until(*at);
        copied += h.old_count;
        out.lines.push_back(line);
        out.offsets.push_back(places.shift());
        for (const auto added : side_of(h, '-')) {
            out.content += added;
            ++line;
        }
    }
    if (!places.misfits().empty()) {
        return conflict_of(patch, places.misfits());
    }
    copy_until(places.content().size());
    return out;
}

file_patch reversed(const file_patch& patch) {
    auto out = patch;
    std::swap(out.old_path, out.new_path);
    out.executable.reset();
    for (auto& h : out.hunks) {
        std::swap(h.old_start, h.new_start);
        std::swap(h.old_count, h.new_count);
        for (auto& l : h.lines) {
            l.kind = l.kind == '+' ? '-' : l.kind == '-' ? '+' : ' ';
        }
    }
    return out;
}

} // namespace troupe::actors
