#include "runtime/cluster/link_session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace troupe::runtime::cluster {

namespace {

/// A sentence of another node is cut there, and ours too.
constexpr std::size_t sentence_bytes_max = 600;
/// A sender that lets so much of what it is told lie has stopped reading.
constexpr std::size_t unread_bytes_max = 64 << 10;

constexpr unsigned char tls_handshake = 0x16;
constexpr unsigned char tls_alert = 0x15;

std::string to_bytes(std::uint64_t number) {
    std::string out;
    for (unsigned i = 0; i < sizeof number; ++i)
        out += static_cast<char>(number >> 8U * i & 0xffU);
    return out;
}

std::optional<std::uint64_t> to_number(std::string_view bytes) {
    if (bytes.size() != sizeof(std::uint64_t))
        return std::nullopt;
    std::uint64_t out = 0;
    for (unsigned i = 0; i < bytes.size(); ++i)
        out |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << 8U * i;
    return out;
}

/// Names and versions of others stand in it: what goes into a log is one line, and not a long one.
std::string one_line(std::string text) {
    text.resize(std::min(text.size(), sentence_bytes_max));
    for (char& c : text)
        c = static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e ? '?' : c;
    return text;
}

/// Without what JSON would escape, so that it is never longer than a farewell may be.
std::string to_farewell(const problem& why) {
    std::string sentence = one_line(why.detail);
    std::replace_if(
        sentence.begin(), sentence.end(), [](char c) { return c == '"' || c == '\\'; }, '\'');
    return to_json(link_farewell{std::string(explain(why.code).name), std::move(sentence)});
}

} // namespace

// ---- both ends

void link_end::close(problem why) {
    if (is_closed())
        return;
    why.detail = one_line(std::move(why.detail));
    out_.keep_begun();
    if (!told_ && is_open())
        out_.add(frame_type::bye, to_farewell(why));
    else if (!told_ && answers_)
        out_.add(frame_type::refuse, to_farewell(why));
    phase_ = phase::closed;
    why_ = std::move(why);
}

void link_end::enter_open() {
    phase_ = phase::open;
    silent_us_ = 0;
}

void link_end::take_farewell(std::string_view payload, std::string_view verb) {
    told_ = true;
    const auto said = from_json<link_farewell>(payload, strictness::stored);
    if (!said)
        return fail(code::unavailable, fmt::format("it {}, and does not say why", verb));
    fail(code_named(said->code).value_or(code::unavailable), fmt::format("it {}: {}", verb, said->why));
}

bool link_end::spend(std::int64_t now_us) {
    const auto passed_us = std::clamp<std::int64_t>(now_us - looked_us_, 0, timings_.ping_ms * 1000);
    looked_us_ = now_us;
    age_us_ += passed_us;
    silent_us_ += passed_us;
    if (is_open() && silent_us_ >= timings_.silence_ms * 1000)
        fail(code::unavailable, fmt::format("it has said nothing for {} ms", timings_.silence_ms));
    else if (phase_ == phase::shaking && age_us_ >= timings_.handshake_ms * 1000)
        fail(code::unavailable, fmt::format("there was no handshake within {} ms", timings_.handshake_ms));
    return !is_closed();
}

// ---- the end that dialled

link_sender::link_sender(link_timings timings, link_windows windows, const link_hello& hello, judge accept,
                         std::int64_t now_us)
    : link_end(timings, now_us),
      mine_(hello.card),
      expects_(hello.expects),
      accept_(std::move(accept)),
      window_(windows.of(hello.on)),
      next_ping_us_(now_us + timings.ping_ms * 1000) {
    reader_.expect({frame_type::welcome, frame_type::refuse});
    out_.add_bytes(std::string(link_magic));
    out_.add(frame_type::hello, to_json(hello));
}

void link_sender::on_bytes(std::string_view in, std::int64_t now_us) {
    if (in.empty() || is_closed())
        return;
    heard();
    if (!is_open() && static_cast<unsigned char>(in.front()) == tls_alert)
        return fail(code::connection_failed, "it wants TLS, and this node has none: set cluster.tls on both");
    while (!in.empty() && !is_closed()) {
        const auto read = reader_.read(in);
        if (read == frame_reader::outcome::failed)
            fail(code::invalid_request, "it " + reader_.failure());
        else if (read == frame_reader::outcome::frame)
            on_frame(now_us);
    }
}

void link_sender::on_frame(std::int64_t now_us) {
    const auto payload = reader_.payload();
    switch (reader_.type()) {
    case frame_type::welcome:
        return on_welcome();
    case frame_type::refuse:
        return take_farewell(payload, "refuses this node");
    case frame_type::bye:
        return take_farewell(payload, "said goodbye");
    case frame_type::credit: {
        const auto taken = to_number(payload);
        if (!taken || *taken < taken_ || *taken > sent_)
            return fail(code::invalid_request, "it gave a credit that cannot be");
        taken_ = *taken;
        return;
    }
    default: // a pong: nothing else is expected
        if (!pinged_us_ || to_number(payload) != pinged_us_)
            return fail(code::invalid_request, "it answered a ping that nobody sent");
        round_trip_us_ = now_us - static_cast<std::int64_t>(*pinged_us_);
        pinged_us_.reset();
    }
}

void link_sender::on_welcome() {
    auto said = from_json<link_welcome>(reader_.payload(), strictness::stored);
    if (!said)
        return fail(code::invalid_request, "it sent a welcome that cannot be read");
    reader_.expect({frame_type::credit, frame_type::pong, frame_type::bye});
    enter_open(); // it knows us from now on, and is told if it is left
    if (auto fits = compare_cards(mine_, said->card); !fits)
        return close(fits.error());
    if (said->card.replica != expects_)
        return fail(code::conflict,
                    fmt::format("{} (replica {}) listens where replica {} was expected: its address was "
                                "taken over",
                                said->card.name, to_string(said->card.replica), to_string(expects_)));
    if (auto judged = accept_(said->card); !judged)
        return close(judged.error());
    peer_ = std::move(said->card);
    window_ = std::min(window_, said->window);
}

void link_sender::on_time(std::int64_t now_us) {
    if (is_closed() || !spend(now_us) || !is_open() || pinged_us_ || now_us < next_ping_us_)
        return;
    pinged_us_ = static_cast<std::uint64_t>(now_us);
    next_ping_us_ = now_us + timings_.ping_ms * 1000;
    out_.add(frame_type::ping, to_bytes(*pinged_us_));
}

bool link_sender::send(shared_bytes frame) {
    if (!is_open() || frame->size() > frame_bytes_max)
        return false;
    const auto cost = frame->size() + frame_cost;
    if (under_way() + cost > window_)
        return false;
    sent_ += cost;
    out_.add(frame_type::data, std::move(frame));
    return true;
}

// ---- the end that was dialled

link_receiver::link_receiver(link_timings timings, link_windows windows, node_card mine, judge accept,
                             std::int64_t now_us)
    : link_end(timings, now_us), windows_(windows), mine_(std::move(mine)), accept_(std::move(accept)) {
    reader_.expect({frame_type::hello});
}

bool link_receiver::read_magic(std::string_view& in) {
    while (magic_at_ < link_magic.size() && !in.empty()) {
        if (in.front() != link_magic[magic_at_]) {
            if (magic_at_ == 0 && static_cast<unsigned char>(in.front()) == tls_handshake)
                refuse({code::invalid_request, "it wants TLS, and this node has none: set cluster.tls on both"});
            else
                fail(code::invalid_request, "it is no node of Troupe");
            return false;
        }
        ++magic_at_;
        in.remove_prefix(1);
    }
    return magic_at_ == link_magic.size();
}

void link_receiver::on_bytes(std::string_view in, const taker& take) {
    if (in.empty() || is_closed())
        return;
    heard();
    if (!read_magic(in))
        return;
    answer_by_refusal();
    while (!in.empty() && !is_closed()) {
        const auto read = reader_.read(in);
        if (read == frame_reader::outcome::failed)
            return fail(code::invalid_request, "it " + reader_.failure());
        if (read == frame_reader::outcome::more)
            break;
        if (is_open()) {
            on_frame(take);
            continue;
        }
        on_hello();
        if (is_open() && !in.empty())
            fail(code::invalid_request, "it went on before it was welcomed");
    }
    if (is_open() && received_ - returned_ >= credit_step_bytes)
        return_credit();
}

void link_receiver::refuse(problem why) {
    answer_by_refusal();
    close(std::move(why));
}

void link_receiver::on_hello() {
    auto said = from_json<link_hello>(reader_.payload(), strictness::stored);
    if (!said)
        return fail(code::invalid_request, "it sent a hello that cannot be read");
    hello_ = std::move(*said);
    if (auto fits = compare_cards(mine_, hello_->card); !fits)
        return close(fits.error());
    if (hello_->expects != mine_.replica)
        return fail(code::conflict,
                    fmt::format("{} (replica {}) listens where {} expects replica {}: that address was taken over",
                                mine_.name, to_string(mine_.replica), hello_->card.name, to_string(hello_->expects)));
    if (auto judged = accept_(*hello_); !judged)
        return close(judged.error());
    window_ = windows_.of(hello_->on);
    reader_.expect({frame_type::data, frame_type::ping, frame_type::bye});
    enter_open();
    out_.add(frame_type::welcome, to_json(link_welcome{mine_, window_}));
}

void link_receiver::on_frame(const taker& take) {
    const auto payload = reader_.payload();
    switch (reader_.type()) {
    case frame_type::bye:
        return take_farewell(payload, "said goodbye");
    case frame_type::ping:
        if (payload.size() != sizeof(std::uint64_t))
            return fail(code::invalid_request, "it sent a ping that cannot be read");
        if (out_.bytes() > unread_bytes_max)
            return fail(code::unavailable, "it does not read what it is told");
        return out_.add(frame_type::pong, payload);
    default: // data: nothing else is expected
        received_ += payload.size() + frame_cost;
        if (received_ - returned_ > window_)
            return fail(code::invalid_request, "it sent more than its credit");
        take(payload);
    }
}

void link_receiver::return_credit() {
    if (out_.bytes() > unread_bytes_max)
        return;
    returned_ = received_;
    out_.add(frame_type::credit, to_bytes(returned_));
}

void link_receiver::on_time(std::int64_t now_us) {
    if (!is_closed() && spend(now_us) && is_open() && received_ != returned_)
        return_credit();
}

} // namespace troupe::runtime::cluster
