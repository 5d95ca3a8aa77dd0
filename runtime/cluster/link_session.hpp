#pragma once

#include "runtime/cluster/frames.hpp"
#include "runtime/cluster/links.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

/// The protocol of one connection between two nodes, at each of its ends. The node that dials sends data, the one that
/// accepted takes it. Pure: bytes and the time come in, bytes and frames go out.
///
///     link_sender   → magic, hello      data …  ping    bye
///     link_receiver ←          welcome     credit  pong      (or refuse)
namespace troupe::runtime::cluster {

struct link_timings {
    std::int64_t ping_ms = 1'000;
    std::int64_t silence_ms = 3'000;   ///< A peer that says nothing for so long is given up.
    std::int64_t handshake_ms = 5'000; ///< From the first attempt to connect on.

    bool operator==(const link_timings&) const = default;
};

/// How much may be under way. Windows are at least `window_bytes_min`, else the biggest frame would never go.
struct link_windows {
    std::uint64_t journal_bytes = 10 << 20; ///< Of the lane of commands, too.
    std::uint64_t bulk_bytes = 16 << 20;

    [[nodiscard]] std::uint64_t of(lane on) const { return on == lane::bulk ? bulk_bytes : journal_bytes; }
};
/// What a frame takes of a window beside its bytes: about what it takes of memory.
inline constexpr std::uint64_t frame_cost = 64;
/// The receiver says what was taken after so many bytes, and when time passes.
inline constexpr std::uint64_t credit_step_bytes = 1 << 20;
inline constexpr std::uint64_t window_bytes_min = frame_bytes_max + frame_cost + credit_step_bytes;
inline constexpr std::uint64_t window_bytes_max = 1 << 30;
static_assert(link_windows{}.journal_bytes >= window_bytes_min && link_windows{}.bulk_bytes >= window_bytes_min);

/// Payload of a hello.
struct link_hello {
    node_card card;
    lane on = lane::journal;
    uuid expects; ///< The replica that should listen there.
};
BOOST_DESCRIBE_STRUCT(link_hello, (), (card, on, expects))

/// Payload of a welcome.
struct link_welcome {
    node_card card;
    std::uint64_t window = 0; ///< Bytes that may be under way.
};
BOOST_DESCRIBE_STRUCT(link_welcome, (), (card, window))

/// Payload of a refusal and of a bye: a code of `problem`, and a sentence.
struct link_farewell {
    std::string code;
    std::string why;
};
BOOST_DESCRIBE_STRUCT(link_farewell, (), (code, why))

/// What both ends have in common. The time is that of a monotonic clock, in microseconds.
class link_end {
public:
    [[nodiscard]] bool is_open() const { return phase_ == phase::open; }
    [[nodiscard]] bool is_closed() const { return phase_ == phase::closed; }
    /// Why it was closed, by whomever.
    [[nodiscard]] const problem& why() const { return why_; }
    /// Whether the peer said so, and knows.
    [[nodiscard]] bool was_told() const { return told_; }

    /// Ends it; the last thing in `out` tells the peer. What had not begun to go out is dropped.
    void close(problem why);

    /// What to write. After the end, what is left there is for one attempt.
    frame_outbox& out() { return out_; }

protected:
    link_end(link_timings timings, std::int64_t now_us) : timings_(timings), looked_us_(now_us) {}

    /// Closes and is done with the peer's bytes.
    void fail(code c, std::string why) { close({c, std::move(why)}); }
    void enter_open();
    /// From now on the peer can be told before the handshake is done.
    void answer_by_refusal() { answers_ = true; }
    void heard() { silent_us_ = 0; }
    /// Of a refusal or a bye.
    void take_farewell(std::string_view payload, std::string_view verb);
    /// False: the time is up, and it is closed. Only so much counts as was looked at: a pause of this process is no
    /// silence of the peer.
    bool spend(std::int64_t now_us);

    const link_timings timings_;
    frame_reader reader_;
    frame_outbox out_;

private:
    enum class phase : std::uint8_t { shaking, open, closed };
    phase phase_ = phase::shaking;
    bool answers_ = false;
    bool told_ = false;
    problem why_;
    std::int64_t looked_us_;
    std::int64_t age_us_ = 0;
    std::int64_t silent_us_ = 0;
};

/// The end that dialled.
class link_sender : public link_end {
public:
    /// What it still has to be judged by, of the card that was shown; it has been compared already.
    using judge = std::function<expected<void>(const node_card&)>;

    /// However much a peer lets come, no more than `windows` is under way: it is kept here until it has gone out.
    link_sender(link_timings timings, link_windows windows, const link_hello& hello, judge accept, std::int64_t now_us);

    void on_bytes(std::string_view in, std::int64_t now_us);
    /// Several times in `ping_ms`.
    void on_time(std::int64_t now_us);
    /// False: it is not open, or the frame is too big, or it is beyond the credit.
    bool send(shared_bytes frame);

    /// Of the node that welcomed.
    [[nodiscard]] const node_card& peer() const { return peer_; }
    [[nodiscard]] std::uint64_t under_way() const { return sent_ - taken_; }
    /// Once it is open.
    [[nodiscard]] std::uint64_t window() const { return window_; }
    /// Of the last ping that was answered.
    [[nodiscard]] std::optional<std::int64_t> round_trip_us() const { return round_trip_us_; }

private:
    void on_frame(std::int64_t now_us);
    void on_welcome();

    node_card mine_;
    uuid expects_;
    judge accept_;
    node_card peer_;
    std::uint64_t window_;    // until the welcome: at most
    std::uint64_t sent_ = 0;  // all that was ever sent, in what it costs
    std::uint64_t taken_ = 0; // of it, as the receiver says
    std::optional<std::uint64_t> pinged_us_;
    std::int64_t next_ping_us_ = 0;
    std::optional<std::int64_t> round_trip_us_;
};

/// The end that was dialled.
class link_receiver : public link_end {
public:
    /// What it still has to be judged by; the card has been compared already.
    using judge = std::function<expected<void>(const link_hello&)>;
    using taker = std::function<void(std::string_view frame)>;

    link_receiver(link_timings timings, link_windows windows, node_card mine, judge accept, std::int64_t now_us);

    /// `take` is called for each frame. The bytes that open it belong to no frame, so that another thread may go on.
    void on_bytes(std::string_view in, const taker& take);
    /// Several times in `ping_ms`.
    void on_time(std::int64_t now_us);
    /// Before it has opened, and whatever was read.
    void refuse(problem why);

    /// What the node said that dialled, once it is open or was refused for that.
    [[nodiscard]] const std::optional<link_hello>& hello() const { return hello_; }
    [[nodiscard]] std::uint64_t received() const { return received_; }

private:
    bool read_magic(std::string_view& in);
    void on_hello();
    void on_frame(const taker& take);
    void return_credit();

    link_windows windows_;
    node_card mine_;
    judge accept_;
    std::size_t magic_at_ = 0;
    std::optional<link_hello> hello_;
    std::uint64_t window_ = 0;
    std::uint64_t received_ = 0; // in what it costs
    std::uint64_t returned_ = 0; // of it, as the sender was told
};

} // namespace troupe::runtime::cluster
