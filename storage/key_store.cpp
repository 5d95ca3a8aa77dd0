#include "storage/key_store.hpp"

#include "schemas/base/durable_file.hpp"
#include "schemas/base/unique_fd.hpp"
#include "storage/erase.hpp"

#include <sodium.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <map>
#include <mutex>
#include <set>
#include <system_error>

namespace troupe::storage {

namespace fs = std::filesystem;

namespace {

// A line is one of
//   key NUMBER SUBJECT WRAPPED
//   erased NUMBER SUBJECT MILLISECONDS
constexpr std::string_view key_word = "key";
constexpr std::string_view erased_word = "erased";
constexpr std::size_t keys_of_file = 256;
constexpr std::size_t file_bytes_max = 1 << 20;
constexpr std::string_view file_prefix = "keys-";
static_assert(payload_key::sealing_bytes == crypto_aead_xchacha20poly1305_ietf_KEYBYTES &&
              payload_key::hiding_bytes == crypto_shorthash_siphashx24_KEYBYTES);

struct key_line {
    bool erased = false;
    std::uint32_t number = 0;
    uuid subject;
    std::string_view rest; ///< The wrapped key, or the time.
};

std::string_view word_of(std::string_view& line) {
    const auto end = std::min(line.find(' '), line.size());
    const auto out = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
    return out;
}

template <class Number>
bool read_number(std::string_view text, Number& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size();
}

std::optional<key_line> parse_line(std::string_view line) {
    key_line out;
    const auto word = word_of(line);
    out.erased = word == erased_word;
    const bool number = read_number(word_of(line), out.number);
    const auto subject = parse_uuid(word_of(line));
    out.rest = line;
    if ((word != key_word && !out.erased) || !number || out.number == 0 || !subject || line.empty()) {
        return std::nullopt;
    }
    out.subject = *subject;
    return out;
}

std::string format_line(std::string_view word, std::size_t number, const uuid& subject, std::string_view rest) {
    return std::string(word) + " " + std::to_string(number) + " " + to_string(subject) + " " + std::string(rest) + "\n";
}

problem unreadable(const fs::path& file, std::size_t line) {
    return {code::journal_damaged, file.string() + ", line " + std::to_string(line) +
                                       " is no key; put the copy of this file there that lies beside the backups"};
}

/// Visits the lines of a key file. What a kill left of the last one, which nothing was sealed with, is left out:
/// `torn`.
expected<void> each_line(std::string_view text, const fs::path& file, bool& torn,
                         const std::function<expected<void>(const key_line&, std::string_view)>& visit) {
    std::size_t number = 0;
    while (!text.empty()) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos) {
            torn = true;
            return {};
        }
        ++number;
        const auto line = text.substr(0, end);
        text.remove_prefix(end + 1);
        const auto parsed = parse_line(line);
        if (!parsed) {
            return unreadable(file, number);
        }
        if (auto visited = visit(*parsed, line); !visited) {
            return visited;
        }
    }
    return {};
}

std::vector<fs::path> files_in(const fs::path& folder) {
    std::vector<fs::path> out;
    std::error_code none; // no folder: no files
    for (fs::directory_iterator at(folder, none), end; !none && at != end; at.increment(none)) {
        if (at->path().filename().string().starts_with(file_prefix)) {
            out.push_back(at->path());
        }
    }
    std::ranges::sort(out);
    return out;
}

problem was_erased(timestamp when) {
    return {code::erased, "this was erased on " + to_string(when) + "; its contents can be read by nobody any more"};
}

std::string make_wrapped(const key_wrapping& wrapping, const uuid& subject, std::uint32_t number) {
    const wiped_text bytes(random_bytes(cipher_key_bytes));
    return wrapping.wrap(subject, number, bytes.text());
}

problem not_ours(const fs::path& folder, std::uint32_t number, const std::string& why) {
    return {code::conflict, "key " + std::to_string(number) + " of " + folder.string() + " is not the cluster's: " +
                                why + ". This directory belongs to another cluster, or the coordinator was set back"};
}

void derive(payload_key& into, std::string_view key) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(key.data());
    static_assert(crypto_kdf_KEYBYTES == cipher_key_bytes);
    crypto_kdf_derive_from_key(into.sealing.data(), into.sealing.size(), 1, "troupe-k", bytes);
    crypto_kdf_derive_from_key(into.hiding.data(), into.hiding.size(), 2, "troupe-k", bytes);
}

} // namespace

payload_key::~payload_key() {
    sodium_memzero(sealing.data(), sealing.size());
    sodium_memzero(hiding.data(), hiding.size());
}

key_store::key_store(fs::path folder, std::shared_ptr<const key_wrapping> wrapping)
    : folder_(std::move(folder)), wrapping_(std::move(wrapping)) {}

bool key_store::has_keys(const fs::path& folder) { return !files_in(folder).empty(); }

expected<std::unique_ptr<key_store>> key_store::open(const fs::path& folder,
                                                     std::shared_ptr<const key_wrapping> wrapping, bool read_only) {
    if (sodium_init() < 0) {
        return problem{code::internal, "libsodium does not start on this machine"};
    }
    std::unique_ptr<key_store> out(new key_store(folder, std::move(wrapping)));
    if (!read_only) {
        std::error_code failed;
        fs::create_directories(folder, failed);
        fs::permissions(folder, fs::perms::owner_all, failed);
        if (failed) {
            return file_problem("create", folder.native(), failed.value());
        }
    }
    auto read = out->read_files(read_only);
    return read ? expected<std::unique_ptr<key_store>>(std::move(out)) : read.error();
}

fs::path key_store::file_of(std::size_t file) const {
    auto digits = std::to_string(file);
    digits.insert(0, digits.size() < 6 ? 6 - digits.size() : 0, '0');
    return folder_ / (std::string(file_prefix) + digits);
}

expected<void> key_store::read_files(bool read_only) {
    for (const auto& file : files_in(folder_)) {
        if (auto read = read_file(file, read_only); !read) {
            return read;
        }
    }
    return {};
}

expected<void> key_store::read_file(const fs::path& file, bool read_only) {
    const auto text = read_whole_file(file, file_bytes_max);
    if (!text) {
        return text.error();
    }
    const auto first = entries_.size();
    bool torn = false;
    auto read = each_line(*text, file, torn, [&](const key_line& line, std::string_view) -> expected<void> {
        if (line.number != entries_.size() + 1 || numbers_.contains(line.subject) ||
            file_of(first / keys_of_file) != file) {
            return unreadable(file, entries_.size() - first + 1);
        }
        entry e{line.subject, {}, {}, nullptr};
        if (line.erased) {
            if (!read_number(line.rest, e.destroyed.ms)) {
                return unreadable(file, entries_.size() - first + 1);
            }
            ++erased_;
        } else {
            auto opened = open_entry(line.subject, line.number, std::string(line.rest));
            if (!opened) {
                return opened.error();
            }
            e = std::move(*opened);
        }
        numbers_.emplace(line.subject, line.number);
        entries_.push_back(std::move(e));
        return {};
    });
    if (read && torn && !read_only) {
        read = rewrite(first / keys_of_file);
    }
    return read;
}

expected<key_store::entry> key_store::open_entry(const uuid& subject, std::uint32_t number, std::string wrapped) const {
    const auto bytes = wrapping_->unwrap(subject, number, wrapped);
    if (!bytes) {
        return bytes.error();
    }
    if (bytes->text().size() != cipher_key_bytes) {
        return problem{code::secrets_locked, "key " + std::to_string(number) + " in " + folder_.string() +
                                                 " has another length than keys have"};
    }
    auto key = std::make_shared<payload_key>();
    key->number = number;
    key->subject = subject;
    derive(*key, bytes->text());
    return entry{subject, std::move(wrapped), {}, std::move(key)};
}

expected<std::shared_ptr<const payload_key>> key_store::existing(const uuid& subject) const {
    const std::shared_lock lock(mutex_);
    const auto found = numbers_.find(subject);
    if (found == numbers_.end()) {
        return std::shared_ptr<const payload_key>();
    }
    const auto& e = entries_[found->second - 1];
    return e.key ? expected<std::shared_ptr<const payload_key>>(e.key) : was_erased(e.destroyed);
}

expected<std::shared_ptr<const payload_key>> key_store::of(const uuid& subject) {
    auto known = existing(subject);
    auto* others = others_.load();
    if (!known || *known || !others) {
        return !known || *known ? known : make(subject);
    }
    auto issued = others->issue(subject);
    return issued ? existing(subject) : issued.error();
}

expected<std::shared_ptr<const payload_key>> key_store::at_hand(const uuid& subject) {
    auto known = existing(subject);
    if (!known || *known) {
        return known;
    }
    return is_shared() ? problem{code::conflict, "the key of " + to_string(subject) + " is not here yet; send it again"}
                       : make(subject);
}

expected<std::shared_ptr<const payload_key>> key_store::make(const uuid& subject) {
    const std::unique_lock lock(mutex_);
    if (const auto found = numbers_.find(subject); found != numbers_.end()) { // made meanwhile
        const auto& e = entries_[found->second - 1];
        return e.key ? expected<std::shared_ptr<const payload_key>>(e.key) : was_erased(e.destroyed);
    }
    const auto number = static_cast<std::uint32_t>(entries_.size() + 1);
    auto e = open_entry(subject, number, make_wrapped(*wrapping_, subject, number));
    if (!e) {
        return e.error();
    }
    std::vector<entry> one;
    one.push_back(std::move(*e));
    auto added = add(std::move(one));
    return added ? expected<std::shared_ptr<const payload_key>>(entries_.back().key) : added.error();
}

expected<std::shared_ptr<const payload_key>> key_store::numbered(std::uint32_t number) const {
    if (auto* others = others_.load(); others && number > count()) {
        others->await(number);
    }
    const std::shared_lock lock(mutex_);
    if (number == 0 || number > entries_.size()) {
        return problem{code::secrets_locked, "key " + std::to_string(number) + " is not among those of " +
                                                 folder_.string() +
                                                 "; put the key files there that lie beside the backups"};
    }
    const auto& e = entries_[number - 1];
    return e.key ? expected<std::shared_ptr<const payload_key>>(e.key) : was_erased(e.destroyed);
}

bool key_store::is_erased(std::uint32_t number) const {
    const std::shared_lock lock(mutex_);
    return number > 0 && number <= entries_.size() && !entries_[number - 1].key;
}

std::optional<timestamp> key_store::erased_at(const uuid& subject) const {
    const std::shared_lock lock(mutex_);
    const auto found = numbers_.find(subject);
    return found == numbers_.end() || entries_[found->second - 1].key
               ? std::nullopt
               : std::optional(entries_[found->second - 1].destroyed);
}

std::size_t key_store::erased_count() const {
    const std::shared_lock lock(mutex_);
    return erased_;
}

bool key_store::is_empty() const { return count() == 0; }

std::uint32_t key_store::count() const {
    const std::shared_lock lock(mutex_);
    return static_cast<std::uint32_t>(entries_.size());
}

// ---- what is written

std::string key_store::line_of(const entry& e, std::size_t number) {
    return e.key ? format_line(key_word, number, e.subject, e.wrapped)
                 : format_line(erased_word, number, e.subject, std::to_string(e.destroyed.ms));
}

/// New ones, after all that are known.
expected<void> key_store::add(std::vector<entry> fresh) {
    for (std::size_t done = 0; done < fresh.size();) {
        const auto room = keys_of_file - entries_.size() % keys_of_file;
        const auto lines = std::span(fresh).subspan(done, std::min(room, fresh.size() - done));
        if (auto written = append(lines); !written) {
            return written;
        }
        for (auto& e : lines) {
            erased_ += e.key ? 0 : 1;
            numbers_.emplace(e.subject, static_cast<std::uint32_t>(entries_.size() + 1));
            entries_.push_back(std::move(e));
        }
        done += lines.size();
    }
    return {};
}

expected<void> key_store::append(std::span<const entry> lines) const {
    const auto file = file_of(entries_.size() / keys_of_file);
    const bool is_new = entries_.size() % keys_of_file == 0;
    const unique_fd fd(::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
    if (!fd) {
        return file_problem("write", file.native(), errno);
    }
    // First the name of a new file: a line that counts as not written must not be there.
    if (auto named = is_new ? sync_folder(folder_) : expected<void>(); !named) {
        return named;
    }
    std::string text;
    for (std::size_t at = 0; at < lines.size(); ++at) {
        text += line_of(lines[at], entries_.size() + at + 1);
    }
    const auto before = ::lseek(fd.get(), 0, SEEK_END);
    auto written = write_whole(fd.get(), text, file.native());
    if (written && ::fsync(fd.get()) != 0) {
        written = file_problem("sync", file.native(), errno);
    }
    if (!written) { // half a line in the middle would be damage
        (void)!::ftruncate(fd.get(), before);
    }
    return written;
}

expected<void> key_store::rewrite(std::size_t file) const {
    std::string text;
    for (auto at = file * keys_of_file; at < std::min(entries_.size(), (file + 1) * keys_of_file); ++at) {
        text += line_of(entries_[at], at + 1);
    }
    return replace_file(file_of(file), text, 0600);
}

expected<void> key_store::destroy(const uuid& subject, timestamp now) {
    if (auto* others = others_.load()) {
        return erased_at(subject) ? expected<void>() : others->destroy(subject, now);
    }
    if (auto made = of(subject); !made) { // who has none yet must not get one later
        return made.error().code == code::erased ? expected<void>() : expected<void>(made.error());
    }
    const std::unique_lock lock(mutex_);
    return destroy_known(numbers_.at(subject), now);
}

expected<void> key_store::destroy_known(std::uint32_t number, timestamp when) {
    auto& e = entries_[number - 1];
    if (!e.key) {
        return {};
    }
    auto kept = std::exchange(e, entry{e.subject, {}, when, nullptr});
    if (auto written = rewrite((number - 1) / keys_of_file); !written) {
        e = std::move(kept);
        return written;
    }
    ++erased_;
    return {};
}

// ---- in a cluster

std::string key_store::draw(const uuid& subject, std::uint32_t number) const {
    const std::shared_lock lock(mutex_);
    return make_wrapped(*wrapping_, subject, number);
}

agreed_key key_store::kept(std::uint32_t number) const {
    const std::shared_lock lock(mutex_);
    return {number, entries_[number - 1].subject, entries_[number - 1].wrapped, entries_[number - 1].destroyed};
}

bool key_store::is_current() const {
    const std::shared_lock lock(mutex_);
    return std::ranges::all_of(entries_, [&](const entry& e) { return !e.key || wrapping_->is_current(e.wrapped); });
}

expected<void> key_store::check_known(const agreed_key& k) const {
    const auto& e = entries_[k.number - 1];
    if (e.subject != k.subject) {
        return not_ours(folder_, k.number,
                        "it is of " + to_string(e.subject) + " here, of " + to_string(k.subject) + " there");
    }
    if (k.wrapped.empty() || (e.key && e.wrapped == k.wrapped)) {
        return {};
    }
    if (!e.key) {
        return not_ours(folder_, k.number, "it was destroyed here on " + to_string(e.destroyed) + ", and not there");
    }
    const auto theirs = open_agreed(k);
    if (!theirs) {
        return theirs.error();
    }
    const bool same = theirs->key->sealing == e.key->sealing && theirs->key->hiding == e.key->hiding;
    return same ? expected<void>()
                : not_ours(folder_, k.number, to_string(k.subject) + " has one key here and another one there");
}

expected<key_store::entry> key_store::open_agreed(const agreed_key& k) const {
    if (k.wrapped.empty()) {
        return entry{k.subject, {}, k.destroyed, nullptr};
    }
    if (!wrapping_->is_current(k.wrapped) || k.wrapped.find_first_of(" \n") != std::string::npos) {
        return problem{code::secrets_locked, "key " + std::to_string(k.number) + " of " + to_string(k.subject) +
                                                 " is wrapped with another master key than this node's newest"};
    }
    return open_entry(k.subject, k.number, k.wrapped);
}

expected<void> key_store::take(std::span<const agreed_key> keys) {
    const std::unique_lock lock(mutex_);
    std::vector<entry> fresh;
    std::set<uuid> subjects;
    const auto known = entries_.size();
    for (const auto& k : keys) { // all are good before the first one is written
        const bool is_known = k.number > 0 && k.number <= known;
        if (auto good = is_known ? check_known(k) : expected<void>(); !good) {
            return good;
        }
        if (is_known) {
            continue;
        }
        if (k.number != known + fresh.size() + 1) {
            return not_ours(folder_, k.number, "those before it are missing");
        }
        if (numbers_.contains(k.subject) || !subjects.insert(k.subject).second) {
            return not_ours(folder_, k.number, to_string(k.subject) + " has another number already");
        }
        auto e = open_agreed(k);
        if (!e) {
            return e.error();
        }
        fresh.push_back(std::move(*e));
    }
    for (const auto& k : keys) {
        const bool is_known = k.number <= known;
        if (!k.wrapped.empty() || (is_known && !entries_[k.number - 1].key)) {
            continue;
        }
        auto destroyed = owe_removal(folder_); // the node where it was asked for removes no rows here, nor from entries
        if (destroyed = destroyed && is_known ? destroy_known(k.number, k.destroyed) : destroyed; !destroyed) {
            return destroyed;
        }
    }
    return add(std::move(fresh));
}

expected<void> key_store::wrap_with(std::shared_ptr<const key_wrapping> wrapping) {
    const std::unique_lock lock(mutex_);
    std::set<std::size_t> changed;
    auto all = entries_; // every key opens before the first file is written
    for (std::size_t at = 0; at < all.size(); ++at) {
        auto& e = all[at];
        if (!e.key || wrapping->is_current(e.wrapped)) {
            continue;
        }
        const auto number = static_cast<std::uint32_t>(at + 1);
        const auto bytes = wrapping->unwrap(e.subject, number, e.wrapped);
        if (!bytes) {
            return bytes.error();
        }
        e.wrapped = wrapping->wrap(e.subject, number, bytes->text());
        changed.insert(at / keys_of_file);
    }
    if (is_shared() && !changed.empty()) {
        return problem{code::conflict,
                       "the nodes of a cluster have one master key, and it cannot be changed while they "
                       "are a cluster; nothing was changed"};
    }
    entries_.swap(all);
    wrapping_ = std::move(wrapping);
    for (auto file = changed.begin(); file != changed.end(); ++file) {
        if (auto written = rewrite(*file); !written) { // a repeat has to see which ones are still as they were
            const auto from = static_cast<std::ptrdiff_t>(*file * keys_of_file);
            std::copy(all.begin() + from, all.end(), entries_.begin() + from);
            return written;
        }
    }
    return {};
}

expected<std::vector<std::pair<std::string, std::string>>> key_store::files() const {
    const std::shared_lock lock(mutex_); // no file is half written
    return read_key_files(folder_);
}

expected<std::vector<std::pair<std::string, std::string>>> read_key_files(const fs::path& folder) {
    std::vector<std::pair<std::string, std::string>> out;
    for (const auto& file : files_in(folder)) {
        auto text = read_whole_file(file, file_bytes_max);
        if (!text) {
            return text.error();
        }
        out.emplace_back(file.filename().string(), std::move(*text));
    }
    return out;
}

namespace {

using lines_by_number = std::map<std::uint32_t, std::string>;

/// Adds lines; of two for the same key an erased one wins.
expected<void> add_lines(lines_by_number& to, std::string_view text, const fs::path& file) {
    bool torn = false;
    return each_line(text, file, torn, [&](const key_line& line, std::string_view whole) -> expected<void> {
        const auto [at, is_new] = to.try_emplace(line.number, whole);
        if (is_new) {
            return {};
        }
        const auto other = parse_line(at->second);
        if (other->subject != line.subject) {
            return problem{code::conflict, file.string() + ": key " + std::to_string(line.number) +
                                               " is of another data directory than the one there"};
        }
        if (line.erased) {
            at->second = whole;
        }
        return {};
    });
}

} // namespace

expected<void> merge_key_files(const std::vector<std::pair<std::string, std::string>>& files, const fs::path& into) {
    std::error_code failed;
    fs::create_directories(into, failed);
    fs::permissions(into, fs::perms::owner_all, failed);
    if (failed) {
        return file_problem("create", into.native(), failed.value());
    }
    for (const auto& [name, text] : files) {
        const auto file = into / name;
        lines_by_number lines;
        const auto there = read_whole_file(file, file_bytes_max);
        if (!there && there.error().code != code::not_found) {
            return there.error();
        }
        if (auto added = add_lines(lines, text, file); !added) {
            return added;
        }
        if (auto added = add_lines(lines, there ? *there : "", file); !added) {
            return added;
        }
        std::string merged;
        for (const auto& [number, line] : lines) {
            merged += line + "\n";
        }
        const bool is_new = !there || merged != *there;
        if (auto written = is_new ? replace_file(file, merged, 0600) : expected<void>(); !written) {
            return written;
        }
    }
    return {};
}

} // namespace troupe::storage
