# The waits that ranks of one process are held together by, each taken away in turn: what `mutant` and `redundant`
# are called with is a name, then headers below include/weft with the edits of sed that make the mutant of them.

mutant unmade comm/peer/message.cuh '/from\.ready->hold(stream);/d'        # a copy of what is not made yet
mutant unread comm/peer/message.cuh '/to\.ready->hold(stream);/d'          # a copy over what is still read
mutant unarrived comm/peer.cuh 's/message\.end->hold/if (message.stream) &/'  # who receives does not wait
mutant unsent comm/peer.cuh 's/message\.end->hold/if (!message.stream) &/'    # who sends does not wait
mutant heads_unpushed policy/ulysses.hpp '/void push_heads/,/^    }/{/end_push(/d}'
mutant result_unstored policy/ulysses.hpp '/void store_result/,/^    }/{/end_push(/d}'
mutant back_unpushed policy/ulysses.hpp '/void push_back/,/^    }/{/end_push(/d}'
mutant one_travelling policy/ring.hpp 's/travelling(scope, hop % 2, coming)/travelling(scope, 0, coming)/'
mutant unready_sum comm/peer.cuh '/void all_reduce/,/^  }/{/ barrier(queue);/d}'
mutant early_sum comm/peer.cuh '/void all_reduce/,/^  }/{/ pushed(queue/{h;d};/"copying sums");/G}'  # after the copy
mutant launch_early backend/cuda/joint_recorder.cuh 's/if (other\.event) other\.event->hold(stream);/(void)other;/'
mutant launch_unawaited backend/cuda/joint_recorder.cuh 's/if (!leads) after->hold(stream);//'

# The first push of a recorded loop is ordered by the host too, which waits for all queues before anything is recorded;
# for what is not recorded it is this wait. Later pushes need none: policy/ulysses.hpp says why.
redundant ulysses_unready policy/ulysses.hpp '/ begin_pushes(queue);/d'

# What a stage has sent, it writes again only after its next input for the same tokens, which depends on what the
# receiver has made of the output.
redundant outputs_unsent comm/peer.cuh 's/message\.end->hold/if (!message.stream || name() != "pipe") &/'
